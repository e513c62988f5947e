// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A counted reference to a CRTC is kept.
//!
//! Static objects live as long as their device. A key names one, and the device finds it (K4).

include!("../driver.rs");
include!("../display.rs");

fn keep(crtc: &Crtc<Screen>) -> ARef<Crtc<Screen>> { //~ WRONG
//= fn keep(crtc: &Crtc<Screen>) -> ARef<Device<Display>> {
    crtc.into() //~ WRONG
    //= (&**crtc.device()).into()
}
