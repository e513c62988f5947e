// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An argument has padding.
//!
//! Padding bytes are never written, and would carry the kernel's memory to userspace.

include!("../driver.rs");

#[derive(FromBytes, IntoBytes)]
#[repr(C)]
struct Padded {
    handle: u32, //~ WRONG
    //= handle: u64,
    size: u64,
}
