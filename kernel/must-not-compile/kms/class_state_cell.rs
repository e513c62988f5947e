// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's part of a state has a `Cell`.
//!
//! A commit is checked in one thread and carried out in another, and both read the state.

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
layer!(ShowLayer, Show);
monitor!(ShowMonitor, Show);

struct ShowScreen;

struct Gamma {
    written: core::cell::Cell<bool>, //~ WRONG
    //= written: core::sync::atomic::AtomicBool,
}

impl kms::State for Gamma {
    fn initial() -> Result<Self> {
        Err(ENOMEM)
    }

    fn duplicate(&self) -> Result<Self> {
        Ok(Self { written: false.into() })
    }
}

#[vtable]
impl DriverCrtc for ShowScreen {
    type Driver = Show;
    type State = Gamma;
    type Vblank = vblank::Timer;
}
