// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The framebuffer of a state is read by work that runs later.
//!
//! The state keeps it only while it is in force. A mapping keeps it for longer (K23).

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
screen!(ShowScreen, Show);
monitor!(ShowMonitor, Show);

struct ShowLayer;

#[vtable]
impl DriverPlane for ShowLayer {
    type Driver = Show;
    type State = ();
    type Prepared = ();

    fn prepare(_: &Plane<Self>, _: &New<PlaneState<Self>>, _: &Framebuffer<Show>) -> Result {
        Ok(())
    }

    fn update(
        _: &Plane<Self>,
        _: &Old<PlaneState<Self>>,
        new: &New<PlaneState<Self>>,
        hw: &Hw<'_, Show>,
    ) {
        let Some(framebuffer) = new.framebuffer() else { return };
        let _ = hw.queue_work({
            let framebuffer = framebuffer; //~ WRONG
            //= let Ok(framebuffer) = framebuffer.map() else { return };
            move |dev| dev_info!(dev, "{:?}\n", core::ptr::from_ref(&framebuffer))
        });
    }
}
