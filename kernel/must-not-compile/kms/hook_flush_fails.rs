// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `flush` reports an error.
//!
//! The commit is in force by then, and nobody can take it back (K11).

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

    fn flush(_: &CrtcCommit<'_, Self>, _: &Hw<'_, Show>) -> Result<Flip> { //~ WRONG
    //= fn flush(_: &CrtcCommit<'_, Self>, _: &Hw<'_, Show>) -> Flip {
        Err(ENOMEM) //~ WRONG
        //= Flip::Now
    }
}
