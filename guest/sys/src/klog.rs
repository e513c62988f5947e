// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads the kernel's log from some moment on, and finds reports in it.
//!
//! Source: `Documentation/ABI/testing/dev-kmsg` (Linux 7.3). `uapi::report` says what a report looks like.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::{OFlags, SeekFrom};
use rustix::io::Errno;
use uapi::report::{self, Kind};

use crate::pace::patient;

/// A reader that starts at the log's end.
#[derive(Debug)]
pub struct KernelLog {
    file: Option<OwnedFd>,
}

impl KernelLog {
    /// Starts reading at the log's end. Without `/dev/kmsg` there are never any lines.
    pub fn from_now() -> Self {
        let file = crate::open("/dev/kmsg", OFlags::RDONLY | OFlags::NONBLOCK).ok();
        if let Some(file) = &file {
            // If the seek fails, old reports are shown, which is no reason to stop.
            let _ = rustix::fs::seek(file, SeekFrom::End(0));
        }
        Self { file }
    }

    /// Returns the lines logged since the last call.
    pub fn lines(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Waits until a line since the last call contains `wanted`, at most ten seconds on an idle host. Returns whether
    /// one did.
    pub fn comes(&mut self, wanted: &str) -> bool {
        let end = Instant::now() + patient(Duration::from_secs(10));
        loop {
            if self.lines().iter().any(|line| line.contains(wanted)) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            let Some(file) = self.file.as_ref().filter(|_| !left.is_zero()) else { return false };
            // An error means that a record was overwritten, so there is something to read.
            let _ = crate::poll(file, PollFlags::IN, left.as_millis() as u64);
        }
    }

    /// Whether the kernel's log can be read at all.
    pub fn is_readable(&self) -> bool {
        self.file.is_some()
    }

    /// Returns the first line since the last call that opens a report for which the last call is to blame.
    pub fn report(&mut self) -> Option<String> {
        self.first(|line| report::opening_by_the_last_call(line).is_some())
    }

    /// Returns the first line since the last call that opens a report of any kind, except for leaks: those are from
    /// some time before.
    pub fn any_report(&mut self) -> Option<String> {
        self.first(|line| report::opening(line).is_some_and(|kind| kind != Kind::Leak))
    }

    fn first(&mut self, is_wanted: impl Fn(&str) -> bool) -> Option<String> {
        let mut first = None;
        while let Some(line) = self.next() {
            if first.is_none() && is_wanted(&line) {
                first = Some(line);
            }
        }
        first
    }

    fn next(&mut self) -> Option<String> {
        let mut record = [0; 8192];
        loop {
            match rustix::io::read(self.file.as_ref()?, &mut record) {
                Ok(len) => {
                    return Some(message(&String::from_utf8_lossy(&record[..len])).to_owned());
                }
                // The record was overwritten before it was read: continue with the next.
                Err(Errno::PIPE) => {}
                Err(_) => return None,
            }
        }
    }
}

/// Returns the text of a record: after the first semicolon, before the continuation lines.
fn message(record: &str) -> &str {
    let text = record.split_once(';').map_or(record, |(_, text)| text);
    text.lines().next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_stands_between_the_prefix_and_the_continuation() {
        let record = "4,1021,8571201,-;WARNING: CPU: 1 PID: 7 at drm_gem.c:1\n SUBSYSTEM=drm\n";
        assert_eq!(message(record), "WARNING: CPU: 1 PID: 7 at drm_gem.c:1");
    }
}
