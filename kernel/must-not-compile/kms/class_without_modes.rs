// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A class of connectors has no `modes`.
//!
//! Without modes a client cannot use the display.

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
layer!(ShowLayer, Show);
screen!(ShowScreen, Show);

struct ShowMonitor;

#[vtable]
impl DriverConnector for ShowMonitor {
    type Driver = Show;
    //~ WRONG
    //= fn modes(_: &Connector<Self>, modes: &mut Modes<'_>, _: &Hw<'_, Show>) -> Result { modes.common((1, 1), (1, 1)) }
}
