// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `update` takes out what `prepare` has made.
//!
//! It stays with the state until nothing is shown of it any more. A counted value can be cloned (K12).

include!("../driver.rs");
include!("../display.rs");

use kernel::sync::Arc;

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
screen!(ShowScreen, Show);
monitor!(ShowMonitor, Show);

struct ShowLayer;

#[vtable]
impl DriverPlane for ShowLayer {
    type Driver = Show;
    type State = ();
    type Prepared = Arc<drm::kms::framebuffer::Map<Show>>;

    fn prepare(
        _: &Plane<Self>,
        _: &New<PlaneState<Self>>,
        framebuffer: &Framebuffer<Show>,
    ) -> Result<Self::Prepared> {
        Ok(Arc::new(framebuffer.map()?, GFP_KERNEL)?)
    }
}

fn scene(new: &New<PlaneState<ShowLayer>>) -> Option<Arc<drm::kms::framebuffer::Map<Show>>> {
    Some(*new.prepared()?) //~ WRONG
    //= Some(new.prepared()?.clone())
}
