// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver takes its console from the buffers of another driver.
//!
//! C's helper would take the driver's own buffers for those of shmem.

include!("../driver.rs");
include!("../display.rs");

driver!(Show, (), ShowClient, ShowBuffer, kms::Kms, ioctl::Table::empty());

impl kms::Driver for Show {
    type Plane = ShowLayer;
    type Crtc = ShowScreen;
    type Connector = ShowMonitor;
    type Objects = ();

    const CONSOLE: kms::Console<Self> = kms::Console::shmem::<PanelBuffer>(); //~ WRONG
    //= const CONSOLE: kms::Console<Self> = kms::Console::shmem::<ShowBuffer>();
}

layer!(ShowLayer, Show);
screen!(ShowScreen, Show);
monitor!(ShowMonitor, Show);
