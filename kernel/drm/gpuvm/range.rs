// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A range of addresses that is one: not empty, and without overflow.
//!
//! Source: `drm_gpuva_find_first()` in drivers/gpu/drm/drm_gpuvm.c computes the last address without looking for
//! either.

use kernel::prelude::*;

/// A range of the GPU's addresses, in bytes.
///
/// # Invariants
///
/// `start < end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VaRange {
    start: u64,
    end: u64,
}

impl VaRange {
    /// The range of `len` bytes from `start`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is empty, or has no end that is an address.
    pub const fn new(start: u64, len: u64) -> Result<Self> {
        match start.checked_add(len) {
            // INVARIANT: Checked here.
            Some(end) if len != 0 => Ok(Self { start, end }),
            _ => Err(EINVAL),
        }
    }

    /// The range of a mapping that C knows.
    pub(super) const fn from_valid(start: u64, len: u64) -> Self {
        // INVARIANT: C knows only what came in as a `VaRange`, and parts of that.
        Self {
            start,
            end: start + len,
        }
    }

    /// The range from `start` up to `end`, which is not part of it, if there is anything in it.
    pub const fn between(start: u64, end: u64) -> Option<Self> {
        if start < end {
            // INVARIANT: Just checked.
            Some(Self { start, end })
        } else {
            None
        }
    }

    /// The first address.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// The first address after it.
    pub const fn end(self) -> u64 {
        self.end
    }

    /// How many bytes it has; not zero.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub const fn len(self) -> u64 {
        self.end - self.start
    }

    /// Whether all of `other` lies in it.
    pub const fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}
