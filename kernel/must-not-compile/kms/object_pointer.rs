// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver asks for the C structure of a plane.
//!
//! Calls of C belong in the layer, which knows what they require.

include!("../driver.rs");
include!("../display.rs");

fn name(plane: &Plane<Layer>) {
    plane.as_raw(); //~ WRONG
    //= plane.device().name();
}
