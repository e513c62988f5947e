// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A client: what an open file has.

use crate::{
    driver::Tyr,
    vm, //
};
use drm::{
    Device,
    Registered, //
};
use kernel::prelude::*;

/// What the driver keeps for an open file.
#[pin_data]
pub(crate) struct Client {
    /// The client's address spaces.
    #[pin]
    pub(crate) vms: vm::Pool,
}

#[vtable]
impl drm::DriverFile for Client {
    type Driver = Tyr;

    fn open(_dev: &Device<Tyr, Registered>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            vms <- vm::Pool::new(),
        })
    }
}
