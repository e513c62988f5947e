// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver has classes of objects, and declares no mode setting.
//!
//! C would not be told of the feature, and nothing would call the hooks.

include!("../driver.rs");
include!("../display.rs");

driver!(Show, (), ShowClient, ShowBuffer, drm::NoKms, ioctl::Table::empty()); //~ WRONG
//= driver!(Show, (), ShowClient, ShowBuffer, kms::Kms, ioctl::Table::empty());

impl kms::Driver for Show {
    type Plane = ShowLayer;
    type Crtc = ShowScreen;
    type Connector = ShowMonitor;
    type Objects = ();
}

layer!(ShowLayer, Show);
screen!(ShowScreen, Show);
monitor!(ShowMonitor, Show);
