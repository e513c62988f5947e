// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver names no class of connectors.
//!
//! A display needs a connector, and C offers no mode without one.

include!("../driver.rs");
include!("../display.rs");

driver!(Show, (), ShowClient, ShowBuffer, kms::Kms, ioctl::Table::empty());

impl kms::Driver for Show { //~ WRONG
//= impl kms::Driver for Show { type Connector = ShowMonitor;
    type Plane = ShowLayer;
    type Crtc = ShowScreen;
    type Objects = ();
}

layer!(ShowLayer, Show);
screen!(ShowScreen, Show);
monitor!(ShowMonitor, Show);
