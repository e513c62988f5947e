// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Address spaces of clients.

use drm::gpuvm::{
    DriverVm,
    Mapping,
    VaRange,
    Vm, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// The address spaces of a client.
pub(crate) struct Vms;

/// What the driver keeps for an address space.
pub(crate) struct Space;

impl Vms {
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        Ok::<_, Error>(Self)
    }

    /// The address space of a number.
    pub(crate) fn get(&self, _id: u32) -> Option<ARef<Vm<Space>>> {
        None
    }
}

impl DriverVm for Space {
    type Driver = crate::driver::Tyr;
    type Tables = ();
    type Flags = ();
    type Context<'a> = ();

    fn map(_: &Vm<Self>, _: &mut (), _: &Mapping<'_, Self>, _: &mut ()) {}

    fn unmap(_: &Vm<Self>, _: &mut (), _: VaRange, _: &mut ()) {}

    fn clear(_: &Vm<Self>, _: &mut ()) {}
}
