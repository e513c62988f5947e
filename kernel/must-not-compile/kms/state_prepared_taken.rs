// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `update` takes out what `prepare` has made.
//!
//! It stays with the state until nothing is shown of it any more. A counted value can be cloned (K12).

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
    type Prepared = ARef<Framebuffer<Show>>;

    fn prepare(
        _: &Plane<Self>,
        _: &New<PlaneState<Self>>,
        framebuffer: &Framebuffer<Show>,
    ) -> Result<Self::Prepared> {
        Ok(framebuffer.into())
    }
}

fn scene(new: &New<PlaneState<ShowLayer>>) -> Option<ARef<Framebuffer<Show>>> {
    Some(*new.prepared()?) //~ WRONG
    //= Some(new.prepared()?.clone())
}
