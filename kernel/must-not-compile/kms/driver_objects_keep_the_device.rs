// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What a driver keeps of its set-up has a counted reference to the device.
//!
//! The device keeps it, so the device would keep itself (K41). Keys are plain data.

include!("../driver.rs");
include!("../display.rs");

driver!(Show, (), ShowClient, ShowBuffer, kms::Kms, ioctl::Table::empty());
layer!(ShowLayer, Show);
screen!(ShowScreen, Show);
monitor!(ShowMonitor, Show);

impl kms::Driver for Show {
    type Plane = ShowLayer;
    type Crtc = ShowScreen;
    type Connector = ShowMonitor;
    type Objects = ARef<Device<Show>>; //~ WRONG
    //= type Objects = Key<Crtc<ShowScreen>>;
}
