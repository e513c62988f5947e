// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Sync objects: values in a group's memory. Streams wait for them, and instructions of streams add to them.
//!
//! Source: `drivers/gpu/drm/panthor/panthor_sched.c` of Linux 7.3 (`struct panthor_syncobj_32b`, `struct
//! panthor_syncobj_64b`).

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A sync object whose value has 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Sync32 {
    /// The value.
    pub value: u32,
    /// Zero, or the error of the work that should have changed the value.
    pub status: u32,
}

/// A sync object whose value has 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Sync64 {
    /// The value.
    pub value: u64,
    /// Zero, or the error of the work that should have changed the value.
    pub status: u32,
    /// Unused.
    pub reserved: u32,
}

#[cfg(test)]
mod tests {
    use core::mem::{offset_of, size_of};

    use super::*;

    #[test]
    fn the_status_follows_the_value() {
        assert_eq!((size_of::<Sync32>(), offset_of!(Sync32, status)), (8, 4));
        assert_eq!((size_of::<Sync64>(), offset_of!(Sync64, status)), (16, 8));
    }
}
