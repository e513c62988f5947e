// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver names a type that is no class of planes.
//!
//! The class says what a plane does. A plane without data is an empty structure with hooks.

include!("../driver.rs");
include!("../display.rs");

driver!(Show, (), ShowClient, ShowBuffer, kms::Kms, ioctl::Table::empty());

impl kms::Driver for Show {
    type Plane = (); //~ WRONG
    //= type Plane = ShowLayer;
    type Crtc = ShowScreen;
    type Connector = ShowMonitor;
    type Objects = ();
}

//~ WRONG
//= layer!(ShowLayer, Show);
screen!(ShowScreen, Show);
monitor!(ShowMonitor, Show);
