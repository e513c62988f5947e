// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads the kernel's log during a case: a warning there fails the case.
//!
//! Source: `Documentation/ABI/testing/dev-kmsg`.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::{OFlags, SeekFrom};
use rustix::io::Errno;

use crate::pace::patient;
use crate::sys;

/// Texts with which the kernel begins a report about itself.
const REPORTS: &[&str] = &[
    "WARNING:",
    "BUG:",
    "BUG at",
    "Oops",
    "general protection fault",
    "refcount_t:",
    "UBSAN:",
    "KASAN:",
    "possible circular locking",
    "list_add corruption",
    "list_del corruption",
    "sysfs: cannot create",
    "unable to handle",
    "scheduling while atomic",
    "Leaked",
    "panicked at",
];

/// A reader that starts at the log's end.
#[derive(Debug)]
pub(crate) struct KernelLog {
    file: Option<OwnedFd>,
}

impl KernelLog {
    /// Starts reading at the log's end. Without `/dev/kmsg` there are never any lines.
    pub(crate) fn from_now() -> Self {
        let file = sys::open("/dev/kmsg", OFlags::RDONLY | OFlags::NONBLOCK).ok();
        if let Some(file) = &file {
            // If the seek fails, old reports are shown, which is no reason to stop.
            let _ = rustix::fs::seek(file, SeekFrom::End(0));
        }
        Self { file }
    }

    /// Returns the lines logged since the last call.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Waits until a line since the last call contains `wanted`, at most ten seconds on an idle host. Returns whether
    /// one did.
    pub(crate) fn comes(&mut self, wanted: &str) -> bool {
        let end = Instant::now() + patient(Duration::from_secs(10));
        loop {
            if self.lines().iter().any(|line| line.contains(wanted)) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            let Some(file) = self.file.as_ref().filter(|_| !left.is_zero()) else { return false };
            // An error means that a record was overwritten, so there is something to read.
            let _ = sys::poll(file, PollFlags::IN, left.as_millis() as u64);
        }
    }

    /// Returns the first report since the last call.
    pub(crate) fn report(&mut self) -> Option<String> {
        let mut first = None;
        while let Some(line) = self.next() {
            if first.is_none() && is_report(&line) {
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

/// Reports whose first line does not identify the culprit: a data race, and the effects of a host that starves the
/// machine. The lab reads the lines below them.
const OTHERS: &[&str] = &["BUG: KCSAN: ", "soft lockup", "workqueue lockup", "hrtimer_forward", "cryptomgr_test"];

/// Whether a line begins a report that fails the case.
fn is_report(line: &str) -> bool {
    !OTHERS.iter().any(|other| line.contains(other)) && REPORTS.iter().any(|start| line.contains(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_stands_between_the_prefix_and_the_continuation() {
        let record = "4,1021,8571201,-;WARNING: CPU: 1 PID: 7 at drm_gem.c:1\n SUBSYSTEM=drm\n";
        assert_eq!(message(record), "WARNING: CPU: 1 PID: 7 at drm_gem.c:1");
    }

    #[test]
    fn ordinary_warnings_are_no_reports() {
        assert!(is_report("BUG: kernel NULL pointer dereference, address: 0000000000000010"));
        assert!(!is_report("BUG: KCSAN: data-race in do_sys_poll / pollwake"));
        assert!(!is_report("watchdog: BUG: soft lockup - CPU#1 stuck for 24s! [sh:112]"));
        assert!(!is_report(
            "WARNING: kernel/time/hrtimer.c:1058 at hrtimer_forward+0x9a/0xb0, CPU#1: cryptomgr_test/61"
        ));
        assert!(is_report("WARNING: drivers/gpu/drm/drm_gem.c:1 at drm_gem_x+0x9a/0xb0 [drm], CPU#1: case/61"));
        assert!(!is_report("[drm] Initialized vgem 1.0.0 for vgem on minor 0"));
        assert!(!is_report("vgem vgem: [drm] Unknown color mode 7; guessing buffer size."));
    }
}
