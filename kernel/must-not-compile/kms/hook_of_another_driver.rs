// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A hook takes access to another driver's hardware.

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

    fn disable(
        _: &Plane<Self>,
        _: &Old<PlaneState<Self>>,
        _: &Hw<'_, Panel>, //~ WRONG
        //= _: &Hw<'_, Show>,
    ) {
    }
}
