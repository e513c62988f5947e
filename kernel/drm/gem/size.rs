// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The size of a buffer: whole pages and not zero (L13).
//!
//! Source: `drm_gem_private_object_init()` in drivers/gpu/drm/drm_gem.c, which stops the machine with
//! `BUG_ON` for a size that is not a multiple of the page size.

use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// The size of a buffer in bytes.
///
/// # Invariants
///
/// The value is a multiple of the page size, not zero, and at most `isize::MAX`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Size(usize);

impl Size {
    /// The size of one page.
    pub const PAGE: Self = Self(PAGE_SIZE);

    /// Creates a size known at compile time. An invalid size does not compile.
    ///
    /// # Examples
    ///
    /// ```
    /// const FRAME: gem::Size = gem::Size::constant::<{ 64 * 1024 }>();
    /// ```
    pub const fn constant<const BYTES: usize>() -> Self {
        const {
            assert!(BYTES != 0, "a buffer of size zero");
            assert!(
                BYTES % PAGE_SIZE == 0,
                "the size of a buffer is a multiple of the page size"
            );
            assert!(
                BYTES <= isize::MAX as usize,
                "the size of a buffer overflows"
            );
        }
        Self(BYTES)
    }

    /// Creates a size of exactly `bytes`.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if `bytes` is zero, not a multiple of the page size, or too large for
    /// the address space.
    pub const fn exact(bytes: u64) -> Result<Self> {
        match Self::round_up(bytes) {
            Ok(size) if size.0 as u64 == bytes => Ok(size),
            _ => Err(EINVAL),
        }
    }

    /// Creates the smallest size of at least `bytes`.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if `bytes` is zero or the size is too large for the address space.
    pub const fn round_up(bytes: u64) -> Result<Self> {
        match bytes.checked_next_multiple_of(PAGE_SIZE as u64) {
            // INVARIANT: The guard checks the size.
            Some(size) if size != 0 && size <= isize::MAX as u64 => Ok(Self(size as usize)),
            _ => Err(EINVAL),
        }
    }

    /// Converts the size of an existing object.
    pub(crate) fn from_valid(bytes: usize) -> Self {
        // INVARIANT: Objects are created only with a `Size`, and keep it.
        Self(bytes)
    }

    /// Returns the size in bytes.
    pub const fn bytes(self) -> usize {
        self.0
    }

    /// Returns the size in pages.
    pub const fn pages(self) -> usize {
        self.0 / PAGE_SIZE
    }
}
