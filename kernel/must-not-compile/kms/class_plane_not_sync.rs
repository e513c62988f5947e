// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The data of a plane has a `Cell`.
//!
//! Hooks of one plane run in several threads, each for another commit.

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
screen!(ShowScreen, Show);
monitor!(ShowMonitor, Show);

struct ShowLayer {
    updates: core::cell::Cell<u32>, //~ WRONG
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
}
