// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Our terminal and the guest's as one: raw mode, and bytes both ways.
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

use crate::interrupt::{self, OnInterrupt};

/// How often a reader of the keyboard looks whether it is still wanted.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Rows and columns of our terminal, or those of an old one if there is none.
pub(crate) fn size() -> (u16, u16) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row, size.ws_col),
        _ => (24, 80),
    }
}

/// Waits a moment for `from` to have something to read, or its end.
pub(crate) fn readable(from: &impl AsFd) -> bool {
    let mut fds = [PollFd::new(from, PollFlags::IN)];
    poll(&mut fds, Some(&LOOK)).is_ok_and(|count| count > 0)
}

/// Connects our terminal with `machine_end` while `work` runs. `ended` tells that it is over; `on_lost` is called if what the
/// guest writes cannot be shown, which is the second thing that is returned.
pub(crate) fn connect<T>(
    machine_end: UnixStream,
    ended: &AtomicBool,
    on_lost: impl FnOnce() + Send,
    work: impl FnOnce() -> T,
) -> (T, io::Result<()>) {
    let _raw = Raw::enter();
    thread::scope(|scope| {
        let shown = scope.spawn(|| show(&machine_end).inspect_err(|_| on_lost()));
        scope.spawn(|| type_into(&machine_end, ended));
        let out = work();
        // Both directions stop: the one that shows has read what the guest wrote before its end.
        let _ = machine_end.shutdown(Shutdown::Both);
        (out, shown.join().expect("showing does not panic"))
    })
}

/// Shows what the guest writes, until its end.
fn show(mut machine_end: &UnixStream) -> io::Result<()> {
    let mut buffer = [0; 4096];
    let mut out = io::stdout();
    while let Ok(count @ 1..) = machine_end.read(&mut buffer) {
        out.write_all(&buffer[..count]).and_then(|()| out.flush())?;
    }
    Ok(())
}

fn type_into(mut machine_end: &UnixStream, ended: &AtomicBool) {
    let stdin = io::stdin();
    let mut buffer = [0; 4096];
    while !ended.load(Ordering::Relaxed) {
        if !readable(&stdin) {
            continue;
        }
        let count = stdin.lock().read(&mut buffer).unwrap_or(0);
        // The end of a piped input is a Ctrl-D to the shell that reads it.
        let bytes = if count == 0 { b"\x04".as_slice() } else { &buffer[..count] };
        if machine_end.write_all(bytes).is_err() || count == 0 {
            return;
        }
    }
}

/// Our terminal in raw mode, put back when dropped or when we are interrupted.
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
        // A terminal that cannot be set stays as it is: worse to type on, but not wrong.
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
