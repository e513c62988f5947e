// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Valid ranges of addresses: not empty, and without overflow.
//!
//! Source: `drm_gpuva_find_first()` in drivers/gpu/drm/drm_gpuvm.c, which computes the last address
//! without checking for either.

use kernel::prelude::*;

/// A range of the GPU's addresses, in bytes.
///
/// # Invariants
///
/// `start < end` holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VaRange {
    start: u64,
    end: u64,
}

impl VaRange {
    /// Creates the range of `len` bytes from `start`.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if the range is empty, or its end is not an address.
    pub const fn new(start: u64, len: u64) -> Result<Self> {
        match start.checked_add(len) {
            // INVARIANT: The match checks both.
            Some(end) if len != 0 => Ok(Self { start, end }),
            _ => Err(EINVAL),
        }
    }

    /// Converts the range of a mapping that C knows.
    pub(super) const fn from_valid(start: u64, len: u64) -> Self {
        // INVARIANT: C knows only ranges that came in as a `VaRange`, and parts of them.
        Self {
            start,
            end: start + len,
        }
    }

    /// Creates the range from `start` to `end` (exclusive), unless it would be empty.
    pub const fn between(start: u64, end: u64) -> Option<Self> {
        if start < end {
            // INVARIANT: The condition was just checked.
            Some(Self { start, end })
        } else {
            None
        }
    }

    /// Returns the first address.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// Returns the first address after the range.
    pub const fn end(self) -> u64 {
        self.end
    }

    /// Returns the number of bytes, which is not zero.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub const fn len(self) -> u64 {
        self.end - self.start
    }

    /// Returns whether all of `other` lies in this range.
    pub const fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}
