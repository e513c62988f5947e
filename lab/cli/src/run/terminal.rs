// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Connects our terminal and the guest's: raw mode, and bytes in both directions.
//!
//! Source: termios(3); poll(2).

use std::io::{self, IsTerminal, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use drydock_base::interrupt::{self, OnInterrupt};

/// The interval at which the keyboard's reader checks whether it is still wanted.
pub(crate) const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Returns the rows and columns of our terminal, or a classic terminal's if there is none.
pub(crate) fn size() -> (u16, u16) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row, size.ws_col),
        _ => (24, 80),
    }
}

/// Returns whether all our standard streams are terminals, so that a program of the guest can have one, too.
pub(crate) fn is_ours() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// Returns the value of `TERM` for the guest.
pub(crate) fn kind() -> String {
    std::env::var("TERM").unwrap_or_else(|_| "vt100".into())
}

/// Waits a moment until `from` can be read or has ended.
pub(crate) fn readable(from: &impl AsFd) -> bool {
    let mut fds = [PollFd::new(from, PollFlags::IN)];
    poll(&mut fds, Some(&LOOK)).is_ok_and(|count| count > 0)
}

/// Connects our terminal with `machine_end` while `work` runs. `ended` returns whether the session is over. `on_size` is
/// called with each new size of our terminal. `on_lost` is called if the guest's output cannot be shown; that error is
/// the second value returned.
pub(crate) fn connect<T>(
    machine_end: UnixStream,
    ended: &AtomicBool,
    on_size: impl Fn((u16, u16)) + Send,
    on_lost: impl FnOnce() + Send,
    work: impl FnOnce() -> T,
) -> (T, io::Result<()>) {
    let _raw = Raw::enter();
    thread::scope(|scope| {
        let shown = scope.spawn(|| show(&machine_end).inspect_err(|_| on_lost()));
        scope.spawn(|| type_into(&machine_end, ended, on_size));
        let out = work();
        // This stops both directions. The one that shows output has read everything that the guest wrote before its
        // end.
        let _ = machine_end.shutdown(Shutdown::Both);
        (out, shown.join().expect("showing does not panic"))
    })
}

/// Shows the guest's output until it ends.
fn show(mut machine_end: &UnixStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    let mut out = io::stdout();
    while let Ok(count @ 1..) = machine_end.read(&mut buffer) {
        out.write_all(&buffer[..count]).and_then(|()| out.flush())?;
    }
    Ok(())
}

/// The key that ends the guest when it is pressed twice: Ctrl-]. In raw mode, no other key reaches us.
const ESCAPE: u8 = 0x1d;

fn type_into(mut machine_end: &UnixStream, ended: &AtomicBool, on_size: impl Fn((u16, u16))) {
    let stdin = io::stdin();
    let mut buffer = [0; 4096];
    let (mut known, mut last) = (size(), 0);
    while !ended.load(Ordering::Relaxed) {
        if size() != known {
            known = size();
            on_size(known);
        }
        if !readable(&stdin) {
            continue;
        }
        let count = stdin.lock().read(&mut buffer).unwrap_or(0);
        if stdin.is_terminal() {
            for byte in &buffer[..count] {
                if (last, *byte) == (ESCAPE, ESCAPE) {
                    interrupt::raise();
                    return;
                }
                last = *byte;
            }
        }
        // The end of a piped input becomes a Ctrl-D for the shell that reads it.
        let bytes = if count == 0 { b"\x04".as_slice() } else { &buffer[..count] };
        if machine_end.write_all(bytes).is_err() || count == 0 {
            return;
        }
    }
}

/// Our terminal in raw mode, restored on drop or on interrupt.
struct Raw {
    before: Option<Termios>,
    _on_interrupt: Option<OnInterrupt>,
}

impl Raw {
    fn enter() -> Self {
        let before = io::stdin().is_terminal().then(|| tcgetattr(io::stdin()).ok()).flatten();
        let Some(before) = before else { return Self { before: None, _on_interrupt: None } };
        let mut raw = before.clone();
        raw.make_raw();
        // A terminal that cannot be set stays as it is: less comfortable, but not wrong.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &raw);
        let again = before.clone();
        let on_interrupt = interrupt::on_interrupt(move || restore(&again));
        Self { before: Some(before), _on_interrupt: Some(on_interrupt) }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            restore(before);
        }
    }
}

fn restore(before: &Termios) {
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
}
