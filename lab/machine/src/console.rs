// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The guest's kernel log from the serial line. It is kept whole and can be searched while it grows.
//!
//! Source: Documentation/admin-guide/kernel-parameters.txt (`printk.time`): a line begins with `[SECONDS.MICROSECONDS]`
//! since boot.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// One line of the console.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The kernel's clock, in seconds since boot; `None` for a line that the kernel did not print.
    pub time: Option<f64>,
    /// The text after the time.
    pub text: String,
    /// The time of arrival, by the host's monotonic clock in seconds.
    pub heard: f64,
}

impl Line {
    /// Parses a raw line.
    pub fn parse(raw: &str) -> Self {
        let clean = without_escapes(raw.trim_end_matches(['\r', '\n']));
        let heard = drydock_models::event::monotonic();
        match split_time(&clean) {
            Some((time, text)) => Self { time: Some(time), text: text.to_owned(), heard },
            None => Self { time: None, text: clean, heard },
        }
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.time {
            Some(time) => write!(f, "[{time:>12.6}] {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

fn split_time(line: &str) -> Option<(f64, &str)> {
    let (time, text) = line.strip_prefix('[')?.split_once(']')?;
    let time = time.trim().parse().ok()?;
    Some((time, text.strip_prefix(' ').unwrap_or(text)))
}

/// Removes escape sequences: the firmware clears the screen on the serial line.
fn without_escapes(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\x1b' {
            out.push(c);
            continue;
        }
        if chars.next() == Some('[') {
            while chars.next().is_some_and(|c| !c.is_ascii_alphabetic()) {}
        }
    }
    out
}

/// A function called with each line as it arrives.
pub type Listener = Box<dyn Fn(&Line) + Send>;

/// A growing log, shared by its reader thread and the threads that wait for a line.
#[derive(Clone)]
pub struct Console(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<Line>,
    ended: bool,
}

/// The longest line in bytes. A guest may print without ending a line; the rest of a longer one becomes another line.
const LONGEST: u64 = 1 << 20;

impl Console {
    /// Starts a thread that reads lines from `stream` until its end.
    pub fn read(stream: impl Read + Send + 'static, listener: Option<Listener>) -> (Self, JoinHandle<()>) {
        let console = Self(Arc::new(Shared { state: Mutex::default(), grown: Condvar::new() }));
        let filled = console.clone();
        let thread = thread::spawn(move || filled.fill(stream, listener));
        (console, thread)
    }

    fn fill(&self, stream: impl Read, listener: Option<Listener>) {
        let mut stream = BufReader::new(stream);
        let mut raw = Vec::new();
        while stream.by_ref().take(LONGEST).read_until(b'\n', &mut raw).is_ok_and(|count| count > 0) {
            let line = Line::parse(&String::from_utf8_lossy(&raw));
            raw.clear();
            if let Some(listener) = &listener {
                listener(&line);
            }
            self.lock().lines.push(line);
            self.0.grown.notify_all();
        }
        self.lock().ended = true;
        self.0.grown.notify_all();
    }

    /// Returns a copy of all lines so far.
    pub fn lines(&self) -> Vec<Line> {
        self.lock().lines.clone()
    }

    /// Returns a copy of the lines from number `from` on.
    pub fn lines_from(&self, from: usize) -> Vec<Line> {
        self.lock().lines.get(from..).unwrap_or_default().to_vec()
    }

    /// Returns the number of lines so far, which is also the next line's number.
    pub fn position(&self) -> usize {
        self.lock().lines.len()
    }

    /// Returns the text of the last `count` lines.
    pub fn tail(&self, count: usize) -> Vec<String> {
        let state = self.lock();
        let from = state.lines.len().saturating_sub(count);
        state.lines[from..].iter().map(Line::to_string).collect()
    }

    /// Waits until a line from number `from` on contains `needle`, and returns that line's number. Returns `None` if
    /// the limit passes or the log ends first.
    pub(crate) fn wait_for(&self, from: usize, needle: &str, limit: Duration) -> Option<usize> {
        let deadline = Instant::now() + limit;
        let mut seen = from;
        let mut state = self.lock();
        loop {
            let new = state.lines.get(seen..).unwrap_or_default();
            if let Some(at) = new.iter().position(|line| line.text.contains(needle)) {
                return Some(seen + at);
            }
            seen = state.lines.len().max(from);
            let left = deadline.checked_duration_since(Instant::now())?;
            if state.ended {
                return None;
            }
            state = self.0.grown.wait_timeout(state, left).expect("no holder of the lock panics").0;
        }
    }

    /// Waits for the end of the log. Returns `None` if `deadline` passes first.
    pub(crate) fn wait_for_end(&self, deadline: Instant) -> Option<()> {
        let mut state = self.lock();
        while !state.ended {
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.0.grown.wait_timeout(state, left).expect("no holder of the lock panics").0;
        }
        Some(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no holder of the lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_its_time_and_its_text() {
        let line = Line::parse("[    2.345678] vgem: loaded\r\n");
        assert_eq!((line.time, line.text.as_str()), (Some(2.345678), "vgem: loaded"));
        assert_eq!(line.to_string(), "[    2.345678] vgem: loaded");
    }

    #[test]
    fn what_the_kernel_did_not_print_has_no_time() {
        assert_eq!(Line::parse("[not a time] x").time, None);
        assert_eq!(Line::parse("drydock-agent: boo").text, "drydock-agent: boo");
    }

    #[test]
    fn the_firmwares_escapes_are_dropped() {
        assert_eq!(Line::parse("\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS").text, "SeaBIOS");
    }

    #[test]
    fn a_line_without_end_is_several() {
        let (console, thread) = Console::read(std::io::repeat(b'x').take(3 * LONGEST + 1), None);
        thread.join().unwrap();
        let lengths: Vec<_> = console.lines().iter().map(|line| line.text.len() as u64).collect();
        assert_eq!(lengths, [LONGEST, LONGEST, LONGEST, 1]);
    }

    #[test]
    fn waiting_finds_a_line_that_is_there_and_gives_up_when_the_log_ends() {
        let (console, thread) = Console::read("one\ntwo\n".as_bytes(), None);
        let limit = Duration::from_secs(30);
        assert_eq!(console.wait_for(0, "two", limit), Some(1));
        assert_eq!(console.wait_for(2, "one", limit), None);
        thread.join().unwrap();
        assert_eq!(console.tail(1), ["two"]);
    }
}
