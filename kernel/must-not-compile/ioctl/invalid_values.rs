// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An argument has a type for which some values are invalid.
//!
//! Userspace passes any bytes it likes.

include!("../driver.rs");

#[derive(FromBytes, IntoBytes)]
#[repr(C)]
struct Choice {
    write: bool, //~ WRONG
    //= write: u8,
}
