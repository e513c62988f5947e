// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Reservation objects that several objects share: those that can be mapped in one address space only.
//!
//! C header: `include/drm/drm_gpuvm.h` (`drm_gpuvm_resv_object_alloc`)

use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*, //
};

/// A reference to the C object that contains the reservation object of an address space.
///
/// The C object does not hold its device, so drop this only while something else does (L11).
///
/// # Invariants
///
/// `drm_gpuvm_resv_object_alloc()` created `0`, and this type owns a counted reference to it.
pub(crate) struct SharedResv(NonNull<bindings::drm_gem_object>);

// SAFETY: The reference count is atomic, and the reservation object does its own locking (L15).
unsafe impl Send for SharedResv {}
// SAFETY: As above (L15).
unsafe impl Sync for SharedResv {}

impl SharedResv {
    /// Creates one for a device.
    ///
    /// # Safety
    ///
    /// `dev` is a valid device that outlives the result (L11).
    pub(crate) unsafe fn new(dev: *mut bindings::drm_device) -> Result<Self> {
        // SAFETY: By the requirement (L11).
        let obj = unsafe { bindings::drm_gpuvm_resv_object_alloc(dev) };
        // INVARIANT: The object is new, and its first reference is ours.
        NonNull::new(obj).map(Self).ok_or(ENOMEM)
    }

    /// Takes another reference to `obj`.
    ///
    /// # Safety
    ///
    /// [`new`](Self::new) created `obj`, and a reference to it is held during the call. Its device
    /// outlives the result (L11).
    pub(crate) unsafe fn of(obj: NonNull<bindings::drm_gem_object>) -> Self {
        // SAFETY: By the requirement (L21).
        unsafe { crate::raw::drm_rust_gem_object_get(obj.as_ptr()) };
        // INVARIANT: The reference is ours from now on.
        Self(obj)
    }

    /// Returns the C object.
    pub(crate) fn object(&self) -> *mut bindings::drm_gem_object {
        self.0.as_ptr()
    }

    /// Returns the reservation object in the C object, valid as long as `self`.
    pub(crate) fn as_raw(&self) -> *mut bindings::dma_resv {
        // SAFETY: By the type invariants. The field does not change after the object's creation
        // (L22).
        unsafe { (*self.0.as_ptr()).resv }
    }
}

impl Drop for SharedResv {
    fn drop(&mut self) {
        // SAFETY: By the type invariants. Its device still exists, as `new` and `of` require
        // (L11, L21).
        unsafe { crate::raw::drm_rust_gem_object_put(self.0.as_ptr()) };
    }
}

/// Returns whether an object has its own reservation object, rather than that of an address space
/// or of a foreign exporter.
///
/// # Safety
///
/// `obj` is a valid object (L22).
pub(crate) unsafe fn has_own_resv(obj: *mut bindings::drm_gem_object) -> bool {
    // SAFETY: By the requirement. The field does not change after the object's creation (L22).
    unsafe { core::ptr::eq((*obj).resv, &raw const (*obj)._resv) }
}
