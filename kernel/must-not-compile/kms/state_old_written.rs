// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A check writes the state that is in force.
//!
//! The hardware shows it, and a commit that fails leaves it in force (K8).

include!("../driver.rs");
include!("../display.rs");

fn check(check: &mut PlaneCheck<'_, Layer>) {
    ***check.old() = 1; //~ WRONG
    //= *check.edit().private() = 1;
}
