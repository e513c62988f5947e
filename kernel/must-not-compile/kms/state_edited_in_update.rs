// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `update` edits the driver's part of the new state.
//!
//! Editing is for checks. What `update` needs is written there (K8).

include!("../driver.rs");
include!("../display.rs");

fn update(new: &New<PlaneState<Layer>>) {
    *new.private() = 1; //~ WRONG
    //= let stride: u32 = ***new;
}

fn check(check: &mut PlaneCheck<'_, Layer>) {
    *check.edit().private() = 1;
}
