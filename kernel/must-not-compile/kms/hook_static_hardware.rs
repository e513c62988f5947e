// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A hook requires access to the hardware forever.
//!
//! The access ends with the hook: the device may be unplugged right after it (L6).

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
        _: &Hw<'static, Show>, //~ WRONG
        //= _: &Hw<'_, Show>,
    ) {
    }
}
