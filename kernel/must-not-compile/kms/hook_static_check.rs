// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A hook requires a check that lives forever.
//!
//! C may free the states of a check at once (K13).

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
layer!(ShowLayer, Show);
monitor!(ShowMonitor, Show);

struct ShowScreen;

#[vtable]
impl DriverCrtc for ShowScreen {
    type Driver = Show;
    type State = u32;
    type Vblank = vblank::Timer;

    fn check(check: &mut CrtcCheck<'static, Self>) -> Result { //~ WRONG
    //= fn check(check: &mut CrtcCheck<'_, Self>) -> Result {
        *check.split().0.private() += 1;
        Ok(())
    }
}
