// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A plane's hook has the name that it has in C.
//!
//! C's `atomic_update` is `update` here. A hook that is not in the trait would never be called.

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

    fn atomic_update( //~ WRONG
    //= fn update(
        _: &Plane<Self>,
        _: &Old<PlaneState<Self>>,
        _: &New<PlaneState<Self>>,
        _: &Hw<'_, Show>,
    ) {
    }
}
