// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A class of planes has no `prepare`.
//!
//! `prepare` is the last step of a commit that can fail, so a driver says what it does there (K11).

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
    //~ WRONG
    //= fn prepare(_: &Plane<Self>, _: &New<PlaneState<Self>>, _: &Framebuffer<Show>) -> Result { Ok(()) }
}
