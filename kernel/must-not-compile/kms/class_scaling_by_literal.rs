// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver makes up how far its planes scale.
//!
//! The ratios are those of the crate's constants, which the layer checks each commit against (K38).

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

    fn scaling(&self) -> kms::plane::Scaling {
        kms::plane::Scaling { min: 1, max: 2 } //~ WRONG
        //= kms::plane::Scaling::NONE
    }

    fn prepare(_: &Plane<Self>, _: &New<PlaneState<Self>>, _: &Framebuffer<Show>) -> Result {
        Ok(())
    }
}
