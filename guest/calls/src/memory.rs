// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Memory that a client shares with a driver and with other clients.

use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::system;

/// The mapping of a buffer, as words of 32 bits. Others may write them at the same time. It is unmapped when it is
/// dropped.
///
/// # Invariants
///
/// `start` is the page-aligned start of a mapping of `bytes`, readable and writable, which this value owns.
#[derive(Debug)]
pub struct Memory {
    start: NonNull<AtomicU32>,
    bytes: usize,
}

impl Memory {
    pub(crate) fn new(file: BorrowedFd<'_>, offset: u64, bytes: usize) -> Self {
        // INVARIANT: The mapping is new and nobody else's.
        Self { start: system::mmap(file, offset, bytes).cast(), bytes }
    }

    /// Returns the word at `offset` bytes, which is a multiple of 4. Panics beyond the end.
    #[must_use]
    pub fn read(&self, offset: usize) -> u32 {
        self.word(offset).load(Ordering::SeqCst)
    }

    /// Writes the word at `offset` bytes, which is a multiple of 4. Panics beyond the end.
    pub fn write(&self, offset: usize, word: u32) {
        self.word(offset).store(word, Ordering::SeqCst);
    }

    /// Writes `word` everywhere.
    pub fn fill(&self, word: u32) {
        self.words().iter().for_each(|place| place.store(word, Ordering::SeqCst));
    }

    /// Returns whether every word is `word`.
    #[must_use]
    pub fn is_all(&self, word: u32) -> bool {
        self.words().iter().all(|place| place.load(Ordering::SeqCst) == word)
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset % 4 == 0, "offset {offset} is not that of a word");
        &self.words()[offset / 4]
    }

    fn words(&self) -> &[AtomicU32] {
        // SAFETY: By the type invariants the mapping is valid, aligned and ours as long as `self`. Atomic words may
        // change at any time, and any bytes are valid ones.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes / 4) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the mapping is ours, and no reference into it is left.
        unsafe { system::munmap(self.start.cast(), self.bytes) };
    }
}
