// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Objects that can be mapped in one address space only. They share its reservation object.
//!
//! C header: `include/drm/drm_gpuvm.h` (`r_obj` of `struct drm_gpuvm`)

use super::{
    DriverVm,
    Vm, //
};
use crate::{
    gem::{
        shmem::Object,
        DriverObject,
        SharedResv,
        Size, //
    },
    Device,
    Driver, //
};
use core::ptr::NonNull;
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

impl<P: DriverObject> Object<P>
where
    P::Driver: Driver<Object = Self>,
{
    /// Creates an object that can be mapped only in the address space `vm`. It shares the
    /// reservation object of `vm`, and cannot be exported.
    ///
    /// Work that uses the whole address space then needs only one fence for all such objects. The
    /// object does not keep `vm`.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if `vm` belongs to another device (L12), and with the errors of
    /// [`new`](Self::new).
    ///
    /// Context: process context, may sleep.
    pub fn new_exclusive<T: DriverVm<Driver = P::Driver>>(
        dev: &Device<P::Driver>,
        size: Size,
        args: P::Args,
        vm: &Vm<T>,
    ) -> Result<ARef<Self>> {
        if !dev.is_same(vm.device()) {
            return Err(EINVAL);
        }
        // SAFETY: An address space holds the C object that `SharedResv::new` created for it. The
        // result goes into the object, which drops its device after it. Until there is an object,
        // the caller keeps the device, which is that of `vm` (L11, L21).
        let shared = unsafe { SharedResv::of(NonNull::new_unchecked((*vm.as_raw()).r_obj)) };
        Self::create(dev, size, args, Some(shared))
    }
}
