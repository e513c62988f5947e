// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver has an `unsafe` block.
//!
//! It needs none, and declares so by `#![forbid(unsafe_code)]` (L18). Here the compiler was told to forbid it.

include!("../driver.rs");

fn read(register: *const u32) -> u32 {
    unsafe { register.read_volatile() } //~ WRONG
    //= 0
}
