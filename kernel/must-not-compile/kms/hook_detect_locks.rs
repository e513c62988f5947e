// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `detect` calls a function for ioctls.
//!
//! Hooks run with locks of mode setting. What may take them requires a registered device, which no hook has (K36).

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
layer!(ShowLayer, Show);
screen!(ShowScreen, Show);

struct ShowMonitor;

#[vtable]
impl DriverConnector for ShowMonitor {
    type Driver = Show;

    fn detect(_: &Connector<Self>, hw: &Hw<'_, Show>) -> Status {
        probe_again(hw);
        Status::Connected
    }

    fn modes(_: &Connector<Self>, modes: &mut Modes<'_>, _: &Hw<'_, Show>) -> Result {
        modes.common((1024, 768), (1024, 768))
    }
}

fn probe_again(_: &Device<Show, Registered>) {} //~ WRONG
//= fn probe_again(_: &Device<Show, Init>) {}
