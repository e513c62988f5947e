// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Two checks are exchanged.
//!
//! The lifetime of a check names it, so two checks are of different types (K13).

include!("../driver.rs");
include!("../display.rs");

fn exchange<'a, 'b>(
    left: &mut PlaneCheck<'a, Layer>,
    right: &mut PlaneCheck<'b, Layer>, //~ WRONG
    //= right: &mut PlaneCheck<'a, Layer>,
) {
    core::mem::swap(left, right)
}
