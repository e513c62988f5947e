// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A commit is carried out by work that `flush` queues.
//!
//! The commit ends with its hooks. The layer has carried it out on the module's own queue already (K16).

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

    fn flush(commit: &CrtcCommit<'_, Self>, hw: &Hw<'_, Show>) -> Flip {
        let _ = hw.queue_work(|dev| dev_info!(dev, "{}\n", commit.new_state().is_active())); //~ WRONG
        //= dev_info!(hw, "{}\n", commit.new_state().is_active());
        Flip::AtVblank
    }
}
