// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `prepare` returns a raw pointer.
//!
//! The thread of one client makes the value. Another thread or the module's queue drops it (K12).

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
    type Prepared = *const u8; //~ WRONG
    //= type Prepared = usize;

    fn prepare(
        _: &Plane<Self>,
        _: &New<PlaneState<Self>>,
        framebuffer: &Framebuffer<Show>,
    ) -> Result<Self::Prepared> {
        Ok(core::ptr::from_ref(framebuffer).cast()) //~ WRONG
        //= Ok(core::ptr::from_ref(framebuffer).addr())
    }
}
