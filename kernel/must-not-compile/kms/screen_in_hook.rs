// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A hook asks what a CRTC shows.
//!
//! It would wait for the locks that its caller may hold (K36). A hook gets the states of its own commit.

include!("../driver.rs");
include!("../display.rs");

fn enable(hw: &Hw<'_, Display>, key: Key<Crtc<Screen>>) -> Result<bool> {
    hw.with_screen(key, |screen| screen.state().is_active()) //~ WRONG
    //= hw.get(key).map(|_| true)
}
