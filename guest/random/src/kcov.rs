// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! KCOV: records the instrumented places of the kernel that a thread reaches.
//!
//! The buffer is shared with the process that executes programs. That process enables it before a program and disables
//! it afterwards, and the kernel disables it when the process ends.
//!
//! Source: Documentation/dev-tools/kcov.rst, `include/uapi/linux/kcov.h` (Linux 7.3).

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, slice};

use rustix::fs::OFlags;
use sys::Answer;
use uapi::{KCOV_DISABLE, KCOV_ENABLE, KCOV_INIT_TRACE, KCOV_TRACE_PC};

use crate::raw;

const FILE: &str = "/sys/kernel/debug/kcov";
/// The number of words in the buffer: the number of filled words, and these words.
const WORDS: usize = 1 << 17;

/// The buffer, and the file that enables it.
#[derive(Debug)]
pub(crate) struct Kcov {
    fd: OwnedFd,
    words: &'static [AtomicU64],
}

impl Kcov {
    /// Opens KCOV and maps a buffer, or returns why the kernel has none.
    pub(crate) fn new() -> Result<Self, String> {
        let open = || -> Answer<(OwnedFd, usize)> {
            let fd = sys::open(FILE, OFlags::RDWR)?;
            raw::ioctl(fd.as_raw_fd(), KCOV_INIT_TRACE.number, WORDS)?;
            let both = libc::PROT_READ | libc::PROT_WRITE;
            let start = raw::mmap(fd.as_raw_fd(), WORDS * 8, both, libc::MAP_SHARED, 0)?;
            Ok((fd, start))
        };
        let (fd, start) = open().map_err(|errno| format!("the kernel has no KCOV (`{FILE}`: {errno})"))?;
        // SAFETY: the mapping has this size and is never unmapped; other parties only write words to it.
        let words = unsafe { slice::from_raw_parts(start as *const AtomicU64, WORDS) };
        Ok(Self { fd, words })
    }

    /// Enables an empty buffer, for the calling thread.
    pub(crate) fn begin(&self) -> Answer<u64> {
        self.words[0].store(0, Ordering::Relaxed);
        raw::ioctl(self.fd.as_raw_fd(), KCOV_ENABLE.number, KCOV_TRACE_PC as usize)
    }

    /// Disables it.
    pub(crate) fn end(&self) -> Answer<u64> {
        raw::ioctl(self.fd.as_raw_fd(), KCOV_DISABLE.number, 0)
    }

    /// Returns the places in the order in which they were reached.
    pub(crate) fn places(&self) -> impl Iterator<Item = u64> + use<'_> {
        let count = self.words[0].load(Ordering::Acquire) as usize;
        self.words[1..=count.min(WORDS - 1)].iter().map(|word| word.load(Ordering::Relaxed))
    }
}

/// Returns the addresses of the code sections of each loaded module of `names`: module, section, address.
pub(crate) fn sections() -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    for module in fs::read_dir("/sys/module").into_iter().flatten().flatten() {
        let listed = fs::read_dir(module.path().join("sections")).into_iter().flatten().flatten();
        let section = |entry: fs::DirEntry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let text = fs::read_to_string(entry.path()).ok().filter(|_| name.contains(".text"))?;
            Some((name, u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()?))
        };
        let sections: BTreeMap<_, _> = listed.filter_map(section).collect();
        if !sections.is_empty() {
            found.insert(module.file_name().to_string_lossy().into_owned(), sections);
        }
    }
    found
}
