// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The damage is computed between the new state and itself.
//!
//! It is what has changed since the old state.

include!("../driver.rs");
include!("../display.rs");

fn changed(old: &Old<PlaneState<Layer>>, new: &New<PlaneState<Layer>>) -> Option<kms::Rect> {
    new.damage(new) //~ WRONG
    //= new.damage(old)
}
