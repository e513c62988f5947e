// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `flush` says that the driver will send the flip's event itself.
//!
//! An event that is forgotten holds up every later commit, so the layer sends it (K17).

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
    type Vblank = vblank::Timer;

    fn flush(_: &CrtcCommit<'_, Self>, _: &Hw<'_, Show>) -> Flip {
        Flip::ByDriver //~ WRONG
        //= Flip::AtVblank
    }
}
