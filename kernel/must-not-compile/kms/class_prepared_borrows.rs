// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `prepare` returns the framebuffer that it was lent.
//!
//! The next commit may drop it while this one is on the screen. A counted reference keeps it (K12, K23).

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
    //= type Prepared = ARef<Framebuffer<Show>>;

    fn prepare(
        _: &Plane<Self>,
        _: &New<PlaneState<Self>>,
        framebuffer: &Framebuffer<Show>,
    ) -> Result<Self::Prepared> {
        Ok(framebuffer) //~ WRONG
        //= Ok(framebuffer.into())
    }
}
