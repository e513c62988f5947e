// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The formats of a plane are given as text.
//!
//! A format is a number, the little-endian one of its four letters.

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>) -> Result {
    setup.primary(&[*b"XR24"], Ok(Layer)).map(drop) //~ WRONG
    //= setup.primary(&[u32::from_le_bytes(*b"XR24")], Ok(Layer)).map(drop)
}
