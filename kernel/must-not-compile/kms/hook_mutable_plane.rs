// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A hook requires its plane mutable.
//!
//! Hooks of a plane run at the same time, so changes need a lock or an atomic.

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
        plane: &mut Plane<Self>, //~ WRONG
        //= plane: &Plane<Self>,
        _: &Old<PlaneState<Self>>,
        _: &Hw<'_, Show>,
    ) {
    }
}
