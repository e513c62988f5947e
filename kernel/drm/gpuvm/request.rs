// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Requests to map and unmap, with all the memory that they need, and their remains.
//!
//! C header: `include/drm/drm_gpuvm.h` (`drm_gpuvm_bo_obtain_prealloc`, `drm_gpuvm_bo_deferred_cleanup`)

use super::{
    mapping::{
        Removed,
        Spare, //
    },
    DriverVm,
    ObjectOf,
    VaRange,
    Vm, //
};
use crate::gem::{
    has_own_resv,
    Class, //
};
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::aref::ARef, //
};

/// The tie of an object to an address space: C's `drm_gpuvm_bo`, one for each pair.
///
/// # Invariants
///
/// The pointer refers to a `drm_gpuvm_bo` that is in its object's list and belongs to an address
/// space in immediate mode. This type owns a reference to it.
struct VmBo(NonNull<bindings::drm_gpuvm_bo>);

// SAFETY: References are counted atomically, and C locks the lists (L15).
unsafe impl Send for VmBo {}
// SAFETY: As above (L15).
unsafe impl Sync for VmBo {}

impl VmBo {
    /// Returns the tie of `object` to `vm`.
    fn new<T: DriverVm>(vm: &Vm<T>, object: &ObjectOf<T>) -> Result<Self> {
        // SAFETY: Both are valid, and the result holds references to both (L21).
        let new = unsafe { bindings::drm_gpuvm_bo_create(vm.as_raw(), object.as_raw()) };
        let new = NonNull::new(new).ok_or(ENOMEM)?;
        // SAFETY: The new tie is in no list, and its reference is passed on. If a tie exists
        // already, C frees the new one, and with it references to `vm` and `object`. Those are not
        // the last, because the caller has others. The call takes the object's lock (L21, L25).
        let bo = unsafe { bindings::drm_gpuvm_bo_obtain_prealloc(new.as_ptr()) };
        // INVARIANT: The result is the new tie or the existing one, with a reference for us.
        NonNull::new(bo).map(Self).ok_or(ENOMEM)
    }

    /// Adds the object to the address space's list of objects with their own reservation object,
    /// unless it is already there.
    fn announce<T: DriverVm>(&self, vm: &Vm<T>) {
        vm.resv().lock(|_| {
            // SAFETY: By the type invariants. The lock that the list needs is held (L22).
            unsafe { bindings::drm_gpuvm_bo_extobj_add(self.0.as_ptr()) }
        });
    }
}

impl Drop for VmBo {
    fn drop(&mut self) {
        // SAFETY: By the type invariants. The cleanup in `Resources` drops what the tie holds
        // (L21).
        unsafe { bindings::drm_gpuvm_bo_put_deferred(self.0.as_ptr()) };
    }
}

/// The resources of a request. Dropping it cleans up after the request.
///
/// The removed mappings keep their objects until this is dropped, which is after the driver's
/// flush. The cleanup of another request cannot free them earlier.
pub(super) struct Resources<T: DriverVm> {
    bo: Option<VmBo>,
    pub(super) spare: Spare<T>,
    pub(super) removed: Removed<T>,
    pub(super) vm: ARef<Vm<T>>,
}

impl<T: DriverVm> Resources<T> {
    /// Returns the object's tie to the address space; null if there is none.
    pub(super) fn bo(&self) -> *mut bindings::drm_gpuvm_bo {
        self.bo.as_ref().map_or(null_mut(), |bo| bo.0.as_ptr())
    }

    /// Returns the object; null if there is none.
    pub(super) fn object(&self) -> *mut bindings::drm_gem_object {
        self.bo.as_ref().map_or(null_mut(), |bo| {
            // SAFETY: A tie that we hold is valid, and holds its object (L21).
            unsafe { (*bo.0.as_ptr()).obj }
        })
    }
}

impl<T: DriverVm> Drop for Resources<T> {
    fn drop(&mut self) {
        self.removed = Removed::new();
        self.bo = None;
        self.vm.clean_up();
    }
}

/// A request to map a range, created with all the memory that it needs.
///
/// [`Locked::map`](super::Locked::map) carries it out, once. Dropping it instead changes nothing.
///
/// Context of dropping: process context, may sleep; takes reservation locks.
#[must_use = "carried out by `Locked::map`"]
pub struct Map<T: DriverVm> {
    pub(super) range: VaRange,
    pub(super) offset: u64,
    pub(super) flags: T::Flags,
    pub(super) resources: Resources<T>,
}

impl<T: DriverVm> Map<T> {
    /// Prepares to map `object` at `range`, starting at `offset` bytes in the object.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if the object belongs to another device than `vm` (L12), if it is
    /// [exclusive](crate::gem::shmem::Object::new_exclusive) to another address space, if it ends
    /// before the range does, or if `range` is not free for clients (see
    /// [`Layout`](super::Layout)). Fails with `ENOMEM`.
    ///
    /// Context: process context, may sleep; takes the reservation lock of `vm`.
    pub fn new(
        vm: &Vm<T>,
        range: VaRange,
        object: &ObjectOf<T>,
        offset: u64,
        flags: T::Flags,
    ) -> Result<Self> {
        if !object.device().is_same(vm.device()) {
            return Err(EINVAL);
        }
        let end = offset.checked_add(range.len()).ok_or(EINVAL)?;
        if end > object.size().bytes() as u64 {
            return Err(EINVAL);
        }
        let shares = core::ptr::eq(object.resv(), vm.resv());
        // SAFETY: The object is valid (L22).
        if !shares && !object.is_imported() && !unsafe { has_own_resv(object.as_raw()) } {
            return Err(EINVAL);
        }
        vm.check(range)?;

        let spare = Spare::new(3)?;
        let bo = VmBo::new(vm, object)?;
        // This comes last, so that nothing has to be undone.
        if !shares {
            bo.announce(vm);
        }
        Ok(Self {
            range,
            offset,
            flags,
            resources: Resources {
                bo: Some(bo),
                spare,
                removed: Removed::new(),
                vm: vm.into(),
            },
        })
    }

    /// Prepares to reserve `range` without an object. The driver determines what reads there
    /// return.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if `range` is not free for clients, and with `ENOMEM`. Context: may
    /// sleep to allocate.
    pub fn sparse(vm: &Vm<T>, range: VaRange, flags: T::Flags) -> Result<Self> {
        vm.check(range)?;
        Ok(Self {
            range,
            offset: 0,
            flags,
            resources: Resources {
                bo: None,
                spare: Spare::new(3)?,
                removed: Removed::new(),
                vm: vm.into(),
            },
        })
    }

    /// Returns the address space of the request.
    pub fn vm(&self) -> &Vm<T> {
        &self.resources.vm
    }

    /// Returns the range to map.
    pub fn range(&self) -> VaRange {
        self.range
    }
}

/// A request to unmap everything in a range, created with all the memory that it needs.
///
/// [`Locked::unmap`](super::Locked::unmap) carries it out, once. Dropping it instead changes
/// nothing.
///
/// Context of dropping: process context, may sleep; takes reservation locks.
#[must_use = "carried out by `Locked::unmap`"]
pub struct Unmap<T: DriverVm> {
    pub(super) range: VaRange,
    pub(super) resources: Resources<T>,
}

impl<T: DriverVm> Unmap<T> {
    /// Prepares to unmap everything in `range`, which may be empty.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if `range` is not free for clients, and with `ENOMEM`. Context: may
    /// sleep to allocate.
    pub fn new(vm: &Vm<T>, range: VaRange) -> Result<Self> {
        vm.check(range)?;
        Ok(Self {
            range,
            resources: Resources {
                bo: None,
                spare: Spare::new(2)?,
                removed: Removed::new(),
                vm: vm.into(),
            },
        })
    }

    /// Returns the address space of the request.
    pub fn vm(&self) -> &Vm<T> {
        &self.resources.vm
    }

    /// Returns the range to unmap.
    pub fn range(&self) -> VaRange {
        self.range
    }
}

/// The result of a request, and its remains: unused memory, and the objects that are no longer
/// mapped.
///
/// Drop it where reservation locks may be taken, because that may free objects. So do not drop it
/// before a fence that waits for the request is signalled, nor while the address space is locked.
///
/// Context of dropping: process context, may sleep; takes reservation locks.
#[must_use = "says whether the request was carried out"]
pub struct Done<T: DriverVm> {
    pub(super) result: Result,
    pub(super) _resources: Resources<T>,
}

impl<T: DriverVm> Done<T> {
    /// Returns the result of the request; see [`Locked::map`](super::Locked::map) for the
    /// errors. Context: any.
    pub fn result(&self) -> Result {
        self.result
    }

    /// Returns the result, and drops the remains.
    pub fn into_result(self) -> Result {
        self.result
    }
}
