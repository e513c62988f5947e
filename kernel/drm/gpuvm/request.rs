// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Requests to map and unmap, with all the memory that they take, and what is left of them.
//!
//! C header: `include/drm/drm_gpuvm.h` (`drm_gpuvm_bo_obtain_prealloc`, `drm_gpuvm_bo_deferred_cleanup`)

use super::{
    has_own_resv,
    mapping::{
        Removed,
        Spare, //
    },
    DriverVm,
    ObjectOf,
    VaRange,
    Vm, //
};
use crate::gem::Class;
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::aref::ARef, //
};

/// What ties an object to an address space: C's `drm_gpuvm_bo`, one for each pair.
///
/// # Invariants
///
/// Points to a `drm_gpuvm_bo` that is in its object's list, of an address space in immediate mode; a reference is
/// owned.
struct VmBo(NonNull<bindings::drm_gpuvm_bo>);

// SAFETY: References are counted atomically, lists are locked by C (L15).
unsafe impl Send for VmBo {}
// SAFETY: As above (L15).
unsafe impl Sync for VmBo {}

impl VmBo {
    /// That of `object` in `vm`.
    fn new<T: DriverVm>(vm: &Vm<T>, object: &ObjectOf<T>) -> Result<Self> {
        // SAFETY: Both are valid; the result holds references to both (L21).
        let new = unsafe { bindings::drm_gpuvm_bo_create(vm.as_raw(), object.as_raw()) };
        let new = NonNull::new(new).ok_or(ENOMEM)?;
        // SAFETY: It is in no list, and its reference is given away: if there is one already, C frees the new one, and with it
        // references to `vm` and `object` that are not the last, as the caller has others. The call takes the object's lock (L21, L25).
        let bo = unsafe { bindings::drm_gpuvm_bo_obtain_prealloc(new.as_ptr()) };
        // INVARIANT: Either the new one, or that which there was, with a reference for us.
        NonNull::new(bo).map(Self).ok_or(ENOMEM)
    }

    /// Tells the address space, unless it knows, that the object has a reservation object of its own.
    fn announce<T: DriverVm>(&self, vm: &Vm<T>) {
        vm.resv().lock(|_| {
            // SAFETY: By the type invariants; the lock that the list needs is held (L22).
            unsafe { bindings::drm_gpuvm_bo_extobj_add(self.0.as_ptr()) }
        });
    }
}

impl Drop for VmBo {
    fn drop(&mut self) {
        // SAFETY: By the type invariants. What it holds is given up by the clean-up in `Rest` (L21).
        unsafe { bindings::drm_gpuvm_bo_put_deferred(self.0.as_ptr()) };
    }
}

/// What a request holds; cleans up after it.
///
/// What it has unmapped keeps its objects until this goes, which is after the driver's flush. No other request's clean-up
/// can free them before.
pub(super) struct Rest<T: DriverVm> {
    bo: Option<VmBo>,
    pub(super) spare: Spare<T>,
    pub(super) removed: Removed<T>,
    pub(super) vm: ARef<Vm<T>>,
}

impl<T: DriverVm> Rest<T> {
    /// The object's tie to the address space; null for none.
    pub(super) fn bo(&self) -> *mut bindings::drm_gpuvm_bo {
        self.bo.as_ref().map_or(null_mut(), |bo| bo.0.as_ptr())
    }

    /// The object; null for none.
    pub(super) fn object(&self) -> *mut bindings::drm_gem_object {
        self.bo.as_ref().map_or(null_mut(), |bo| {
            // SAFETY: A tie that we hold is valid, and holds its object (L21).
            unsafe { (*bo.0.as_ptr()).obj }
        })
    }
}

impl<T: DriverVm> Drop for Rest<T> {
    fn drop(&mut self) {
        self.removed = Removed::new();
        self.bo = None;
        self.vm.clean_up();
    }
}

/// A request to map a range, made with all the memory that it takes.
///
/// Carried out by [`Locked::map`](super::Locked::map), once. Dropping it instead changes nothing.
///
/// Context of dropping: process context, may sleep; takes reservation locks.
#[must_use = "carried out by `Locked::map`"]
pub struct Map<T: DriverVm> {
    pub(super) range: VaRange,
    pub(super) offset: u64,
    pub(super) flags: T::Flags,
    pub(super) rest: Rest<T>,
}

impl<T: DriverVm> Map<T> {
    /// Prepares to map `object` at `range`, from `offset` bytes in it on.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the object belongs to another device than `vm` (L12), if it is
    /// [exclusive](crate::gem::shmem::Object::new_exclusive) to another address space, if it ends before the range
    /// does, or if `range` is not free for clients (see [`Layout`](super::Layout)); `ENOMEM`.
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
        // Last, so that nothing has to be undone.
        if !shares {
            bo.announce(vm);
        }
        Ok(Self {
            range,
            offset,
            flags,
            rest: Rest {
                bo: Some(bo),
                spare,
                removed: Removed::new(),
                vm: vm.into(),
            },
        })
    }

    /// Prepares to map nothing at `range`: reads give what the driver says, and the range is taken.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `range` is not free for clients, `ENOMEM`. Context: may sleep to allocate.
    pub fn sparse(vm: &Vm<T>, range: VaRange, flags: T::Flags) -> Result<Self> {
        vm.check(range)?;
        Ok(Self {
            range,
            offset: 0,
            flags,
            rest: Rest {
                bo: None,
                spare: Spare::new(3)?,
                removed: Removed::new(),
                vm: vm.into(),
            },
        })
    }

    /// The address space that it is for.
    pub fn vm(&self) -> &Vm<T> {
        &self.rest.vm
    }

    /// Where to map.
    pub fn range(&self) -> VaRange {
        self.range
    }
}

/// A request to unmap whatever is in a range, made with all the memory that it takes.
///
/// Carried out by [`Locked::unmap`](super::Locked::unmap), once. Dropping it instead changes nothing.
///
/// Context of dropping: process context, may sleep; takes reservation locks.
#[must_use = "carried out by `Locked::unmap`"]
pub struct Unmap<T: DriverVm> {
    pub(super) range: VaRange,
    pub(super) rest: Rest<T>,
}

impl<T: DriverVm> Unmap<T> {
    /// Prepares to unmap what is in `range`, be it nothing.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `range` is not free for clients, `ENOMEM`. Context: may sleep to allocate.
    pub fn new(vm: &Vm<T>, range: VaRange) -> Result<Self> {
        vm.check(range)?;
        Ok(Self {
            range,
            rest: Rest {
                bo: None,
                spare: Spare::new(2)?,
                removed: Removed::new(),
                vm: vm.into(),
            },
        })
    }

    /// The address space that it is for.
    pub fn vm(&self) -> &Vm<T> {
        &self.rest.vm
    }

    /// What to unmap.
    pub fn range(&self) -> VaRange {
        self.range
    }
}

/// How a request ended, and what is left of it: memory that was not needed, and the objects that are mapped no more.
///
/// To be dropped where reservation locks may be taken, so not before a fence that waits for the request is signalled,
/// and not while the address space is locked: objects may be freed here.
///
/// Context of dropping: process context, may sleep; takes reservation locks.
#[must_use = "says whether the request was carried out"]
pub struct Done<T: DriverVm> {
    pub(super) result: Result,
    pub(super) _rest: Rest<T>,
}

impl<T: DriverVm> Done<T> {
    /// Whether the request was carried out; see [`Locked::map`](super::Locked::map) for the errors. Context: any.
    pub fn result(&self) -> Result {
        self.result
    }

    /// The same, and drops what is left.
    pub fn into_result(self) -> Result {
        self.result
    }
}
