// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A check edits the same state twice at a time.
//!
//! An edit is the only access to the state while it lives (K8).

include!("../driver.rs");
include!("../display.rs");

fn check(check: &mut PlaneCheck<'_, Layer>) {
    let mut first = check.edit();
    let mut second = check.edit();
    *first.private() = 1; //~ WRONG
    *second.private() = 2;
}
