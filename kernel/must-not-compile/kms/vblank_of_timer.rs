// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An interrupt counts a frame of a CRTC whose frames the timer counts.
//!
//! Each frame would be counted twice, and clients would flip too early (K18).

include!("../driver.rs");
include!("../display.rs");

fn interrupt(dev: &Plugged<'_, Display>, key: Key<Crtc<Screen>>) -> Result {
    dev.handle_vblank(key) //~ WRONG
    //= dev.get(key).map(drop)
}
