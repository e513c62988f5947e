// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The hardware is programmed from the old state.
//!
//! Old and new states are different types, so the two cannot be mixed up (K7).

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

    fn prepare(_: &Plane<Self>, _: &New<PlaneState<Self>>, _: &Framebuffer<Show>) -> Result {
        Ok(())
    }

    fn update(
        _: &Plane<Self>,
        old: &Old<PlaneState<Self>>,
        new: &New<PlaneState<Self>>,
        _: &Hw<'_, Show>,
    ) {
        program(old); //~ WRONG
        //= program(new);
    }
}

fn program(_: &New<PlaneState<ShowLayer>>) {}
