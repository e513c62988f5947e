// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The locks of two address spaces are swapped.
//!
//! Each would be used for the other's mappings.

include!("../driver.rs");

fn swap(one: &Vm<MiniSpace>, two: &Vm<MiniSpace>) {
    one.lock(|a| {
        two.lock(|b| {
            core::mem::swap(a, b); //~ WRONG
        })
    })
}
