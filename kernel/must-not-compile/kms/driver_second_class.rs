// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver has a second class of planes.
//!
//! Of each kind there is one class, so that no hook gets an object of another (K2). Variety is data.

include!("../driver.rs");
include!("../display.rs");

struct Sprite;

#[vtable]
impl DriverPlane for Sprite {
    type Driver = Display; //~ WRONG
    //= type Driver = Show;
    type State = ();
    type Prepared = ();

    fn prepare(_: &Plane<Self>, _: &New<PlaneState<Self>>, _: &Framebuffer<Self::Driver>) -> Result {
        Ok(())
    }
}

classes!(Show, ShowClient, ShowBuffer, Sprite, ShowScreen, ShowMonitor);
screen!(ShowScreen, Show);
monitor!(ShowMonitor, Show);
