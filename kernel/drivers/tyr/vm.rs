// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Clients' address spaces: what is mapped where, and the page tables that follow.
//!
//! [`Space`] is what the driver adds to an address space of [`drm::gpuvm`]: the table that the GPU walks, and the
//! queue of operations that wait for fences. A file's [`Pool`] has the owners. Operations are made in `bind`, and
//! carried out there, at once for a client that waits, or by the `queue` when their fences allow it.
//!
//! Locks, outer first: `Queue::running`, the address space's own, those of [`crate::mmu`]. `Queue::submitting` is
//! outside of everything but the first, with which it is never held.
//!
//! uapi: `include/uapi/drm/panthor_drm.h` (`DRM_PANTHOR_VM_*`); behaviour: drivers/gpu/drm/panthor/panthor_mmu.c

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
