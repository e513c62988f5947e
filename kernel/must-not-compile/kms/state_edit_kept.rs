// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An edit is kept beyond its borrow of the check.
//!
//! With it and the check there would be two accesses to one state (K8).

include!("../driver.rs");
include!("../display.rs");

fn edit<'c>(check: &mut PlaneCheck<'c, Layer>) -> Edit<'c, PlaneState<Layer>> { //~ WRONG
//= fn edit<'a>(check: &'a mut PlaneCheck<'_, Layer>) -> Edit<'a, PlaneState<Layer>> {
    check.edit()
}
