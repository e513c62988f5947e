// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `flush` takes the event out of the new state.
//!
//! There is one completion for each flip, and the driver never holds it (K17).

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

    fn flush(commit: &CrtcCommit<'_, Self>, _: &Hw<'_, Show>) -> Flip {
        let event = commit.new_state().event; //~ WRONG
        Flip::Now
    }
}
