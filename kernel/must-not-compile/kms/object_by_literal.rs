// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A plane is made by a literal.
//!
//! Only C initialises a plane, in the set-up (K1).

include!("../driver.rs");
include!("../display.rs");

fn plane() -> Plane<Layer> { //~ WRONG
//= fn plane() -> Layer {
    Plane { data: Layer } //~ WRONG
    //= Layer
}
