// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finds reports of the kernel: the first significant line of its log since the last look.
//!
//! The lab judges what a report means, since it has all of it. Here it is only a reason to stop.
//!
//! Source: `Documentation/ABI/testing/dev-kmsg` (Linux 7.3).

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use crate::sys;

/// Texts with which a report begins.
const REPORTS: &[&str] = &[
    "BUG: ",
    "WARNING: ",
    "kernel BUG at",
    "Oops: ",
    "general protection fault",
    "refcount_t: ",
    "UBSAN: ",
    "KASAN: ",
    "INFO: task ",
    "INFO: trying to register",
    "rcu: INFO: ",
    "ODEBUG: ",
    "DMA-API: ",
    "list_add corruption",
    "list_del corruption",
    "rust_kernel: panicked at",
    "Out of memory: ",
];

/// The log from now on.
#[derive(Debug)]
pub(crate) struct KernelLog(OwnedFd);

impl KernelLog {
    pub(crate) fn from_now() -> Result<Self, String> {
        let open = sys::open(Path::new("/dev/kmsg"), libc::O_RDONLY | libc::O_NONBLOCK);
        let file = open.map_err(|errno| format!("`/dev/kmsg` cannot be read: errno {errno}"))?;
        // SAFETY: the call takes no address.
        unsafe { libc::lseek(file.as_raw_fd(), 0, libc::SEEK_END) };
        Ok(Self(file))
    }

    /// Returns the first report since the last look.
    pub(crate) fn report(&self) -> Option<String> {
        let mut found = None;
        let mut record = [0_u8; 8192];
        loop {
            match sys::read_to(self.0.as_raw_fd(), record.as_mut_ptr() as usize, record.len()) {
                Ok(count) => {
                    let record = String::from_utf8_lossy(&record[..count as usize]);
                    found = found.or_else(|| telling(&record).map(str::to_owned));
                }
                // Records were overwritten before they were read: continue with the next.
                Err(libc::EPIPE) => {}
                Err(_) => return found,
            }
        }
    }
}

/// Returns the text of a record, if it begins a report.
fn telling(record: &str) -> Option<&str> {
    let text = record.split_once(';')?.1.lines().next()?;
    REPORTS.iter().any(|report| text.starts_with(report) || text.contains(&format!(": {report}"))).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_known_by_its_beginning() {
        assert_eq!(telling("4,1,2,-;BUG: KASAN: use-after-free in x\n"), Some("BUG: KASAN: use-after-free in x"));
        assert_eq!(telling("4,1,2,-;watchdog: BUG: soft lockup\n"), Some("watchdog: BUG: soft lockup"));
        assert_eq!(telling("6,1,2,-;[drm] Initialized vgem 1.0.0\n"), None);
    }
}
