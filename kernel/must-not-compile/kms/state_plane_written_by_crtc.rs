// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The check of a CRTC edits the states of its planes.
//!
//! The planes were checked before, and the layer has clipped them (K8, K38).

include!("../driver.rs");
include!("../display.rs");

fn check(check: &mut CrtcCheck<'_, Screen>) {
    let (_screen, planes) = check.split();
    for (_plane, state) in planes {
        *state.private() = 1; //~ WRONG
        //= let stride: u32 = ***state;
    }
}
