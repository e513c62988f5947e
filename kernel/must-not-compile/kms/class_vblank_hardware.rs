// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A CRTC takes its vblanks from hardware that it cannot switch.
//!
//! C switches the interrupt on while a client waits for a frame (K18).

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
    type Vblank = vblank::Hardware;
}

//~ WRONG
//= impl vblank::HardwareVblank for ShowScreen {
//=     fn enable_vblank(_: &Crtc<Self>, _: &Hw<'_, Show>) {}
//=     fn disable_vblank(_: &Crtc<Self>, _: &Hw<'_, Show>) {}
//= }
