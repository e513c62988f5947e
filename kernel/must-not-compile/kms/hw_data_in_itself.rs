// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A hook stores a reference to the registration data in that data.
//!
//! It would dangle while the data is dropped (L8).

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
screen!(ShowScreen, Show);
monitor!(ShowMonitor, Show);

fn enable(hw: &Hw<'_, Show>) {
    hw.registration(|hardware| hardware.itself.populate(hardware)); //~ WRONG
    //= hw.registration(|hardware| hardware.itself.as_ref().is_some());
}
