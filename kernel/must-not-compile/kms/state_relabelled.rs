// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The old state is passed on as a new one.
//!
//! Only a commit says which of the two a state is (K7).

include!("../driver.rs");
include!("../display.rs");

fn program(_: &New<PlaneState<Layer>>) {}

fn update(old: &Old<PlaneState<Layer>>, new: &New<PlaneState<Layer>>) {
    program(&New(old)); //~ WRONG
    //= program(new);
}
