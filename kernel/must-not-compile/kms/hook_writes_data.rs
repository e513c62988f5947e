// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A hook counts in the plane's data without a lock.
//!
//! The data is shared by all that use the plane.

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
screen!(ShowScreen, Show);
monitor!(ShowMonitor, Show);

struct ShowLayer {
    updates: u32, //~ WRONG
    //= updates: core::sync::atomic::AtomicU32,
}

#[vtable]
impl DriverPlane for ShowLayer {
    type Driver = Show;
    type State = ();
    type Prepared = ();

    fn prepare(_: &Plane<Self>, _: &New<PlaneState<Self>>, _: &Framebuffer<Show>) -> Result {
        Ok(())
    }

    fn disable(plane: &Plane<Self>, _: &Old<PlaneState<Self>>, _: &Hw<'_, Show>) {
        plane.updates += 1; //~ WRONG
        //= plane.updates.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
    }
}
