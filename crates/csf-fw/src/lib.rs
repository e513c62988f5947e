// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The container in which the firmware of a Mali CSF GPU comes (`mali_csffw.bin`): which bytes go to which addresses of the
//! microcontroller, and what the firmware says of itself.
//!
//! Source: `drivers/gpu/drm/panthor/panthor_fw.c` of Linux 7.3; for the entries that only inform, the file in
//! linux-firmware (`arm/mali/arch10.8/mali_csffw.bin`).
//!
//! The file begins with a header and a list of entries; the header's size covers these. Data lies behind, where entries say.
//! All numbers are little endian.
//!
//! [`Firmware::parse`] checks the whole list once, so that nothing that is read from a [`Firmware`] can fail. No input makes
//! it panic, and it does at most one step for four bytes. It does not compare sections with each other: whether they
//! overlap is noticed where they are mapped.

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

/// What a container begins with.
pub const MAGIC: u32 = 0xc3f1_3a6e;

/// The major version of the format that this crate reads.
pub const MAJOR: u8 = 0;

/// The microcontroller's address of the section through which driver and firmware speak.
pub const SHARED_START: u32 = 0x0400_0000;

/// The unit of sections' addresses.
pub const PAGE_SIZE: u32 = 4096;
