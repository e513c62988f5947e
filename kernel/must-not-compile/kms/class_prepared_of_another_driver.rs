// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A plane prepares a mapping of another driver's framebuffer.
//!
//! Framebuffers name their driver, as buffers do (L12, K23).

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
    type Prepared = PixelMap<Panel>; //~ WRONG
    //= type Prepared = PixelMap<Show>;

    fn prepare(
        _: &Plane<Self>,
        _: &New<PlaneState<Self>>,
        framebuffer: &Framebuffer<Show>,
    ) -> Result<Self::Prepared> {
        framebuffer.map()
    }
}
