// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's part of a state can only be cloned.
//!
//! Cloning cannot report that there is no memory. `State::duplicate` can (K7).

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
layer!(ShowLayer, Show);
monitor!(ShowMonitor, Show);

struct ShowScreen;

#[derive(Clone, Default)] //~ WRONG
//= #[derive(Clone, Copy, Default)]
struct Gamma {
    red: [u16; 16],
}

#[vtable]
impl DriverCrtc for ShowScreen {
    type Driver = Show;
    type State = Gamma;
    type Vblank = vblank::Timer;
}
