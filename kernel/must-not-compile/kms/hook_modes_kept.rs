// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The list of modes is filled by work that runs later.
//!
//! The list is valid during the hook only, with C's lock of it (K25).

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
layer!(ShowLayer, Show);
screen!(ShowScreen, Show);

struct ShowMonitor;

#[vtable]
impl DriverConnector for ShowMonitor {
    type Driver = Show;

    fn modes(_: &Connector<Self>, modes: &mut Modes<'_>, hw: &Hw<'_, Show>) -> Result {
        hw.queue_work(move |_| drop(modes.common((1024, 768), (1024, 768)))) //~ WRONG
        //= modes.common((1024, 768), (1024, 768))
    }
}
