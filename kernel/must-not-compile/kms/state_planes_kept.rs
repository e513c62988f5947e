// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The planes of a commit are kept in the CRTC.
//!
//! The commit ends with the hook, and the next one frees the states (K13).

include!("../driver.rs");
include!("../display.rs");

fn first<'a>(commit: &'a CrtcCommit<'_, Screen>) -> Option<&'static New<PlaneState<Layer>>> { //~ WRONG
//= fn first<'a>(commit: &'a CrtcCommit<'_, Screen>) -> Option<&'a New<PlaneState<Layer>>> {
    commit.planes().next().map(|(_, state)| state)
}
