// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A CRTC has nothing that its vblanks come from.
//!
//! Clients wait for vblanks, so a CRTC has a source of them; without hardware for it, the timer.

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
layer!(ShowLayer, Show);
monitor!(ShowMonitor, Show);

struct ShowScreen;

#[vtable]
impl DriverCrtc for ShowScreen {
    type Driver = Show;
    type State = ();
    type Vblank = (); //~ WRONG
    //= type Vblank = vblank::Timer;
}
