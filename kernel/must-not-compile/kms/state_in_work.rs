// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A state is read by work that `enable` queues.
//!
//! The next commit may have freed it by then. Work gets what the hook copies out (K13).

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

    fn enable(
        _: &Crtc<Self>,
        _: &Old<CrtcState<Self>>,
        new: &New<CrtcState<Self>>,
        hw: &Hw<'_, Show>,
    ) {
        let _ = hw.queue_work({
            let mode = new; //~ WRONG
            //= let mode = new.mode().vrefresh();
            move |dev| dev_info!(dev, "{}\n", mode.mode().vrefresh()) //~ WRONG
            //= move |dev| dev_info!(dev, "{}\n", mode)
        });
    }
}
