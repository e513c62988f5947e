// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The new states of two planes are exchanged as a whole.
//!
//! Each belongs to its plane, and C has pointers to it. The driver's parts may be exchanged (K8).

include!("../driver.rs");
include!("../display.rs");

fn exchange(left: &mut PlaneCheck<'_, Layer>, right: &mut PlaneCheck<'_, Layer>) {
    core::mem::swap(&mut *left.edit(), &mut *right.edit()); //~ WRONG
    //= core::mem::swap(left.edit().private(), right.edit().private());
}
