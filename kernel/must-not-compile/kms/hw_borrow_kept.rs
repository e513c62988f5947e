// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A CRTC keeps what the registration data borrows.
//!
//! A hook sees only its own part of the time in which the device is bound (L7).

include!("../driver.rs");
include!("../display.rs");

driver!(Show, Hardware<'bound>, ShowClient, ShowBuffer, kms::Kms, ioctl::Table::empty());

impl kms::Driver for Show {
    type Plane = ShowLayer;
    type Crtc = ShowScreen;
    type Connector = ShowMonitor;
    type Objects = ();
}

layer!(ShowLayer, Show);
monitor!(ShowMonitor, Show);

struct ShowScreen {
    parent: SetOnce<&'static Parent>, //~ WRONG
    //= revision: SetOnce<u32>,
}

#[vtable]
impl DriverCrtc for ShowScreen {
    type Driver = Show;
    type State = ();
    type Vblank = vblank::Timer;

    fn enable(
        crtc: &Crtc<Self>,
        _: &Old<CrtcState<Self>>,
        _: &New<CrtcState<Self>>,
        hw: &Hw<'_, Show>,
    ) {
        crtc.parent.populate(hw.registration(|hardware| hardware.parent)); //~ WRONG
        //= crtc.revision.populate(hw.registration(|hardware| hardware.revision));
    }
}
