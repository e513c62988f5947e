// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The reservation object of an address space, and the objects that share it because they are mapped nowhere else.
//!
//! C header: `include/drm/drm_gpuvm.h` (`drm_gpuvm_resv_object_alloc`)

use super::{
    DriverVm,
    Vm, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*, //
};

/// A reference to the C object in which an address space's reservation object lies.
///
/// That C object does not hold its device, so this may be dropped only while something else does (L11).
///
/// # Invariants
///
/// `0` was made by `drm_gpuvm_resv_object_alloc()`, and a counted reference to it is owned.
pub(crate) struct SharedResv(NonNull<bindings::drm_gem_object>);

// SAFETY: The count of references is atomic, and the reservation object locks for itself (L15).
unsafe impl Send for SharedResv {}
// SAFETY: As above (L15).
unsafe impl Sync for SharedResv {}

impl SharedResv {
    /// A new one for a device.
    ///
    /// # Safety
    ///
    /// `dev` is a valid device that is kept longer than the result (L11).
    pub(super) unsafe fn new(dev: *mut bindings::drm_device) -> Result<Self> {
        // SAFETY: By the requirement (L11).
        let obj = unsafe { bindings::drm_gpuvm_resv_object_alloc(dev) };
        // INVARIANT: A new object, whose first reference is ours.
        NonNull::new(obj).map(Self).ok_or(ENOMEM)
    }

    /// Another reference to that of `vm`.
    ///
    /// # Safety
    ///
    /// The device of `vm` is kept longer than the result (L11).
    pub(crate) unsafe fn of<T: DriverVm>(vm: &Vm<T>) -> Self {
        // SAFETY: An address space holds its object, which is never null (L21).
        let obj = unsafe { NonNull::new_unchecked((*vm.as_raw()).r_obj) };
        // SAFETY: As above; the reference is ours from now on (L21).
        unsafe { crate::raw::drm_rust_gem_object_get(obj.as_ptr()) };
        Self(obj)
    }

    /// The C object.
    pub(super) fn object(&self) -> *mut bindings::drm_gem_object {
        self.0.as_ptr()
    }

    /// The reservation object in it, valid as long as `self`.
    pub(crate) fn as_raw(&self) -> *mut bindings::dma_resv {
        // SAFETY: By the type invariants; the field does not change after the object's creation (L22).
        unsafe { (*self.0.as_ptr()).resv }
    }
}

impl Drop for SharedResv {
    fn drop(&mut self) {
        // SAFETY: By the type invariants; its device is still there, as `new` and `of` demand (L11, L21).
        unsafe { crate::raw::drm_rust_gem_object_put(self.0.as_ptr()) };
    }
}

/// Whether an object has a reservation object that is neither an address space's nor a foreign exporter's.
///
/// # Safety
///
/// `obj` is a valid object (L22).
pub(crate) unsafe fn has_own_resv(obj: *mut bindings::drm_gem_object) -> bool {
    // SAFETY: By the requirement; the field does not change after the object's creation (L22).
    unsafe { core::ptr::eq((*obj).resv, &raw const (*obj)._resv) }
}
