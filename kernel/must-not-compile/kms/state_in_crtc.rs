// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A CRTC keeps the state that it shows.
//!
//! A legacy cursor update frees states while others read them. The CRTC keeps what it copies out (K13).

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
layer!(ShowLayer, Show);
monitor!(ShowMonitor, Show);

struct ShowScreen {
    shown: SetOnce<&'static New<CrtcState<Screen>>>, //~ WRONG
    //= shown: SetOnce<kms::Rect>,
}

#[vtable]
impl DriverCrtc for ShowScreen {
    type Driver = Show;
    type State = ();
    type Vblank = vblank::Timer;

    fn flush(_: &CrtcCommit<'_, Self>, _: &Hw<'_, Show>) -> Flip {
        Flip::AtVblank
    }
}
