// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver keeps what its set-up found in a `Cell`.
//!
//! Ioctls and hooks read it at the same time, so `Objects` is `Sync`.

include!("../driver.rs");
include!("../display.rs");

driver!(Show, (), ShowClient, ShowBuffer, kms::Kms, ioctl::Table::empty());

impl kms::Driver for Show {
    type Plane = ShowLayer;
    type Crtc = ShowScreen;
    type Connector = ShowMonitor;
    type Objects = core::cell::Cell<u32>; //~ WRONG
    //= type Objects = u32;
}

layer!(ShowLayer, Show);
screen!(ShowScreen, Show);
monitor!(ShowMonitor, Show);
