// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `detect` returns whether a display is attached as a `bool`.
//!
//! Some hardware cannot tell, which is a third answer.

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
layer!(ShowLayer, Show);
screen!(ShowScreen, Show);

struct ShowMonitor;

#[vtable]
impl DriverConnector for ShowMonitor {
    type Driver = Show;

    fn detect(_: &Connector<Self>, _: &Hw<'_, Show>) -> bool { //~ WRONG
    //= fn detect(_: &Connector<Self>, _: &Hw<'_, Show>) -> Status {
        true //~ WRONG
        //= Status::Connected
    }

    fn modes(_: &Connector<Self>, modes: &mut Modes<'_>, _: &Hw<'_, Show>) -> Result {
        modes.common((1024, 768), (1024, 768))
    }
}
