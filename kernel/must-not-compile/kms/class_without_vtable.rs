// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The hooks of a CRTC are implemented without `#[vtable]`.
//!
//! The attribute tells the crate which hooks there are.

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
layer!(ShowLayer, Show);
monitor!(ShowMonitor, Show);

struct ShowScreen;

//~ WRONG
//= #[vtable]
impl DriverCrtc for ShowScreen {
    type Driver = Show;
    type State = ();
    type Vblank = vblank::Timer;
}
