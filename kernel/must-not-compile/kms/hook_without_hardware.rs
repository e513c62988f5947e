// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `enable` is written without access to the hardware.
//!
//! The argument proves that the device is plugged. Without that, the layer does not call the hook (K20).

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
layer!(ShowLayer, Show);
monitor!(ShowMonitor, Show);

struct ShowScreen;

#[vtable]
impl DriverCrtc for ShowScreen {
    type Driver = Show;
    type State = ();
    type Vblank = vblank::Timer;

    fn enable(
        _: &Crtc<Self>,
        _: &Old<CrtcState<Self>>,
        _: &New<CrtcState<Self>>,
        //~ WRONG
        //= _: &Hw<'_, Show>,
    ) {
    }
}
