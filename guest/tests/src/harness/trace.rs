// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads the test modules' lines in the kernel log, in order: they record when objects are made and dropped.
//!
//! Source: `Documentation/ABI/testing/dev-kmsg`; the lines are those of `kernel/tests/lifecycle`,
//! `kernel/tests/display`, `kernel/tests/display_attacks`, `kernel/tests/attacks` and `kernel/tests/failnth`.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::{OFlags, SeekFrom};
use rustix::io::Errno;
use sys::pace::patient;

use crate::harness::check::{Outcome, fail};

/// Time limit of an awaited line, on an idle host.
const LIMIT: Duration = Duration::from_secs(10);

/// The modules' lines since a point in time.
#[derive(Debug)]
pub(crate) struct Trace {
    file: OwnedFd,
    lines: Vec<String>,
}

impl Trace {
    /// Starts an empty trace, which takes the lines from now on.
    pub(crate) fn from_now() -> Outcome<Self> {
        let Ok(file) = sys::open("/dev/kmsg", OFlags::RDONLY | OFlags::NONBLOCK) else {
            return fail("`/dev/kmsg` cannot be read");
        };
        if rustix::fs::seek(&file, SeekFrom::End(0)).is_err() {
            return fail("`/dev/kmsg` has no end");
        }
        Ok(Self { file, lines: Vec::new() })
    }

    /// Drops all lines so far.
    pub(crate) fn clear(&mut self) {
        self.read();
        self.lines.clear();
    }

    /// Returns all lines so far, without the device's number where it is 0.
    pub(crate) fn lines(&mut self) -> &[String] {
        self.read();
        &self.lines
    }

    /// Returns how many lines contain a text.
    pub(crate) fn count(&mut self, text: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(text)).count()
    }

    /// Checks that the texts occur in this order, and none of them twice.
    pub(crate) fn in_order(&mut self, texts: &[&str]) -> Outcome {
        self.read();
        let mut last = 0;
        for text in texts {
            let mut places = self.lines.iter().enumerate().filter(|(_, line)| line.contains(text));
            match (places.next(), places.next()) {
                (Some((place, _)), None) if place >= last => last = place,
                (Some((_, _)), None) => return fail(format!("`{text}` came too early: {}", self.told())),
                (None, _) => return fail(format!("`{text}` did not come: {}", self.told())),
                _ => return fail(format!("`{text}` came twice: {}", self.told())),
            }
        }
        Ok(())
    }

    /// Waits until a line contains a text.
    pub(crate) fn wait_for(&mut self, text: &str) -> Outcome {
        let start = Instant::now();
        while self.count(text) == 0 {
            if start.elapsed() > patient(LIMIT) {
                return fail(format!("`{text}` does not come: {}", self.told()));
            }
            // An error is one of the log; the next read returns it again.
            let _ = sys::poll(&self.file, PollFlags::IN, 100);
        }
        Ok(())
    }

    /// Returns all lines as one text, for a failure.
    pub(crate) fn told(&self) -> String {
        let last: Vec<_> = self.lines.iter().rev().take(30).rev().map(String::as_str).collect();
        last.join(" | ")
    }

    fn read(&mut self) {
        let mut record = [0; 8192];
        loop {
            match rustix::io::read(&self.file, &mut record) {
                Ok(len) => {
                    let record = String::from_utf8_lossy(&record[..len]);
                    self.lines.extend(line_of(&record).map(str::to_owned));
                }
                // The record was overwritten before it was read: continue with the next.
                Err(Errno::PIPE) => {}
                Err(_) => return,
            }
        }
    }
}

/// Returns the text of a record if the record is a test module's (`N: what` or `failnth: NAME`) or a report.
fn line_of(record: &str) -> Option<&str> {
    let text = record.split_once(';')?.1.lines().next()?;
    let ours = [
        "lifecycle: ",
        "display_test: ",
        "display_test display_test: ",
        "display_attacks: ",
        "attacks: ",
        "attacks_init: ",
    ]
    .iter()
    .find_map(|module| text.strip_prefix(module));
    ours.or_else(|| (text.starts_with("failnth: ") || text.starts_with("drm_rust: ")).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_modules_are_heard() {
        assert_eq!(line_of("6,1,2,-;lifecycle: 0: data dropped\n"), Some("0: data dropped"));
        assert_eq!(line_of("6,1,2,-;attacks: 0: file-open enter 1\n"), Some("0: file-open enter 1"));
        assert_eq!(line_of("6,1,2,-;failnth: device_add\n"), Some("failnth: device_add"));
        assert_eq!(line_of("6,1,2,-;[drm] Initialized lifecycle 1.2.3\n"), None);
    }
}
