// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The container of a Mali CSF GPU's firmware (`mali_csffw.bin`): the bytes to load at each address of the
//! microcontroller, and information about the firmware.
//!
//! Source: `drivers/gpu/drm/panthor/panthor_fw.c` of Linux 7.3; for the entries that only inform, the file in
//! linux-firmware (`arm/mali/arch10.8/mali_csffw.bin`).
//!
//! The file begins with a header and a list of entries; the size in the header covers both. Entries contain the offsets
//! of their data, which is behind the list. All numbers are little endian.
//!
//! [`Firmware::parse`] checks the whole list once, so that reading from a [`Firmware`] cannot fail. No input makes it
//! panic, and it does at most one step for four bytes. It does not compare sections with each other: an overlap is
//! noticed where they are mapped.

#![cfg_attr(not(any(test, feature = "builder")), no_std)]
#![forbid(unsafe_code)]

mod entry;
mod error;
mod firmware;
mod read;
mod section;

#[cfg(any(test, feature = "builder"))]
pub mod builder;

pub use entry::{BuildInfo, Config, Entry, Timeline, TraceBuffer};
pub use error::{Error, Reason};
pub use firmware::Firmware;
pub use section::{CacheMode, Flags, Section};

/// The number with which a container begins.
pub const MAGIC: u32 = 0xc3f1_3a6e;

/// The major version of the format that this crate reads.
pub const MAJOR: u8 = 0;

/// The microcontroller's address of the section that driver and firmware share.
pub const SHARED_START: u32 = 0x0400_0000;

/// The unit of sections' addresses.
pub const PAGE_SIZE: u32 = 4096;
