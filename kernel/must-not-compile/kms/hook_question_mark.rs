// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `update` uses the `?` operator.
//!
//! The commit is in force. What may fail belongs in `check` or `prepare` (K11).

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
        _: &Old<PlaneState<Self>>,
        _: &New<PlaneState<Self>>,
        hw: &Hw<'_, Show>,
    ) {
        let line = KBox::new([0u8; 4096], GFP_KERNEL)?; //~ WRONG
        //= let line = KBox::new([0u8; 4096], GFP_KERNEL).ok();
    }
}
