// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `prepare` requires a framebuffer that lives forever.
//!
//! A framebuffer lives as long as it is shown. A mapping keeps it (K23).

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
    type Prepared = u32;

    fn prepare(
        _: &Plane<Self>,
        _: &New<PlaneState<Self>>,
        framebuffer: &'static Framebuffer<Show>, //~ WRONG
        //= framebuffer: &Framebuffer<Show>,
    ) -> Result<u32> {
        Ok(framebuffer.width())
    }
}
