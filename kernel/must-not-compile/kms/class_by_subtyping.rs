// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The planes of one driver are passed as those of another by subtyping.
//!
//! The two types differ in a lifetime only, so one is a subtype of the other. `Plane` accepts exactly its class (K2).

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, Any, ShowScreen, ShowMonitor);
classes!(Shown, ShownClient, ShownBuffer, Static, ShownScreen, ShownMonitor);
screen!(ShowScreen, Show);
screen!(ShownScreen, Shown);
monitor!(ShowMonitor, Show);
monitor!(ShownMonitor, Shown);

struct Lender<F>(F);
type Any = Lender<for<'a> fn(&'a u32)>;
type Static = Lender<fn(&'static u32)>;

macro_rules! planes {
    ($plane:ty, $driver:ty) => {
        #[vtable]
        impl DriverPlane for $plane {
            type Driver = $driver;
            type State = ();
            type Prepared = ();

            fn prepare(_: &Plane<Self>, _: &New<PlaneState<Self>>, _: &Framebuffer<$driver>) -> Result {
                Ok(())
            }
        }
    };
}

planes!(Any, Show);
planes!(Static, Shown);

fn as_another(plane: &Plane<Any>) -> &Plane<Static> { //~ WRONG
//= fn as_another(plane: &Plane<Any>) -> &Plane<Any> {
    plane
}
