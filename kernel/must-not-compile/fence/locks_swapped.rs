// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The locks of two reservation objects are swapped.
//!
//! Each would claim that the other is locked for it.

include!("../driver.rs");

fn swap(one: &Resv, two: &Resv) {
    one.lock(|a| {
        two.lock(|b| {
            core::mem::swap(a, b); //~ WRONG
        })
    })
}
