// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The mode of a state is returned beyond the commit.
//!
//! The mode lies in the state, which the next commit frees (K13).

include!("../driver.rs");
include!("../display.rs");

fn mode<'a>(new: &'a New<CrtcState<Screen>>) -> &'static Mode { //~ WRONG
//= fn mode<'a>(new: &'a New<CrtcState<Screen>>) -> &'a Mode {
    new.mode()
}
