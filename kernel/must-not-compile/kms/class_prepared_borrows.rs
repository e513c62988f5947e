// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `prepare` returns the framebuffer that it was lent.
//!
//! The next commit may drop it while this one is on the screen. A mapping keeps it (K12, K23).

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
    type Prepared = &'static Framebuffer<Show>; //~ WRONG
    //= type Prepared = drm::kms::framebuffer::Map<Show>;

    fn prepare(
        _: &Plane<Self>,
        _: &New<PlaneState<Self>>,
        framebuffer: &Framebuffer<Show>,
    ) -> Result<Self::Prepared> {
        Ok(framebuffer) //~ WRONG
        //= framebuffer.map()
    }
}
