// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver uses the connectors of another driver.
//!
//! The other driver's hooks would see this driver's devices (K2).

include!("../driver.rs");
include!("../display.rs");

driver!(Show, (), ShowClient, ShowBuffer, kms::Kms, ioctl::Table::empty());

impl kms::Driver for Show {
    type Plane = ShowLayer;
    type Crtc = ShowScreen;
    type Connector = Monitor; //~ WRONG
    //= type Connector = ShowMonitor;
    type Objects = ();
}

layer!(ShowLayer, Show);
screen!(ShowScreen, Show);
monitor!(ShowMonitor, Show);
