// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `modes` returns the number of modes, as in C.
//!
//! `Modes` counts them.

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
layer!(ShowLayer, Show);
screen!(ShowScreen, Show);

struct ShowMonitor;

#[vtable]
impl DriverConnector for ShowMonitor {
    type Driver = Show;

    fn modes(_: &Connector<Self>, modes: &mut Modes<'_>, _: &Hw<'_, Show>) -> Result<u32> { //~ WRONG
    //= fn modes(_: &Connector<Self>, modes: &mut Modes<'_>, _: &Hw<'_, Show>) -> Result {
        modes.common((1024, 768), (1024, 768))?;
        Ok(1) //~ WRONG
        //= Ok(())
    }
}
