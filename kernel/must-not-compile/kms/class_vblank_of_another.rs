// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A CRTC takes its vblanks from the callbacks of another class of CRTCs.
//!
//! C would call them with the wrong CRTC, and they would use it as one of theirs (K2, K18).

include!("../driver.rs");
include!("../display.rs");

impl vblank::Source<Screen> for vblank::Hardware { //~ WRONG
    const OPS: vblank::Ops = <vblank::Timer as vblank::Source<PanelScreen>>::OPS; //~ WRONG
} //~ WRONG
