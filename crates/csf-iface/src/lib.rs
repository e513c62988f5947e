// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The interface of a Mali CSF GPU's firmware: blocks of memory in the section that driver and firmware share.
//!
//! Source: `drivers/gpu/drm/panthor/panthor_fw.h` and `panthor_fw.c` of Linux 7.3.
//!
//! There is one [`global`] interface, a number of [`group`] slots, and in each a number of [`stream`] slots. Each of
//! them is three blocks: *control* describes the slot and has the addresses of the other two, *input* is written by the
//! driver, *output* by the firmware. A block is a structure of plain bytes. The other side may change it at any time,
//! so shared memory is read and written word by word, at `offset_of!` of a field, and never borrowed.
//!
//! Driver and firmware communicate by bits that differ: see [`Handshake`].

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod global;
pub mod group;
mod handshake;
mod place;
pub mod stream;
pub mod sync;

pub use handshake::Handshake;
pub use place::{Shared, group_control, stream_control};

use core::fmt;

/// The version of the interface, as the firmware reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(
    /// The word in [`global::Control::version`]; 0 means that the firmware did not start.
    pub u32,
);

impl Version {
    /// From this version on, the firmware reports the features of its instrumentation.
    pub const INSTRUMENTATION: Self = Self::new(1, 1, 0);
    /// From this version on, a group's endpoints are requested with 64 bits.
    pub const WIDE_ENDPOINT_REQUEST: Self = Self::new(4, 0, 0);
    /// From this version on, the firmware's state is requested by a field and not by the halt bit.
    pub const GLOBAL_STATE: Self = Self::new(4, 1, 0);

    /// Returns the version with these parts.
    pub const fn new(major: u8, minor: u8, patch: u16) -> Self {
        Self((major as u32) << 24 | (minor as u32) << 16 | patch as u32)
    }

    /// Returns the major version.
    pub const fn major(self) -> u32 {
        self.0 >> 24
    }

    /// Returns the minor version.
    pub const fn minor(self) -> u32 {
        self.0 >> 16 & 0xff
    }

    /// Returns the patch level.
    pub const fn patch(self) -> u32 {
        self.0 & 0xffff
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major(), self.minor(), self.patch())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_part_by_part() {
        assert_eq!(Version::new(1, 2, 3).to_string(), "1.2.3");
        assert_eq!(Version::new(4, 1, 0).0, 0x0401_0000);
        assert!(Version::new(4, 0, 0xffff) < Version::GLOBAL_STATE);
    }
}
