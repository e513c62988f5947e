// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Locked address spaces: how requests are carried out, and the callbacks that C makes for each
//! step.
//!
//! C header: `include/drm/drm_gpuvm.h` (`drm_gpuvm_sm_map`, `drm_gpuvm_sm_unmap`)

use super::{
    mapping::{
        Node,
        Removed,
        Spare, //
    },
    request::Resources,
    vm::State,
    Done,
    DriverVm,
    Map,
    Mapping,
    Remap,
    Unmap,
    VaRange,
    Vm, //
};
use core::ffi::c_void;
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    types::NotThreadSafe, //
};

/// A [`Vm`] that the calling task has locked. It exists only within [`Vm::lock`].
///
/// # Invariants
///
/// The calling task holds the lock while this value lives. `state` is the data that the lock
/// protects.
pub struct Locked<'a, T: DriverVm> {
    vm: &'a Vm<T>,
    state: &'a mut State<T>,
    _task: NotThreadSafe,
}

impl<'a, T: DriverVm> Locked<'a, T> {
    /// Creates the value for [`Vm::lock`], which has locked `vm` to get `state`.
    pub(super) fn new(vm: &'a Vm<T>, state: &'a mut State<T>) -> Self {
        // INVARIANT: The caller has locked `vm`.
        Self {
            vm,
            state,
            _task: NotThreadSafe,
        }
    }

    /// Returns the driver's tables.
    pub fn tables(&mut self) -> &mut T::Tables {
        &mut self.state.tables
    }

    /// Returns the lowest mapping that touches `range`.
    pub fn find(&self, range: VaRange) -> Option<Mapping<'_, T>> {
        // SAFETY: The address space is locked by the type invariants, and nothing is removed while
        // `self` is borrowed. The result is not the reserved range (L25).
        unsafe {
            let va = self.vm.first_in(range)?;
            Some(Mapping::from_node(Node::from_raw(va.as_ptr())))
        }
    }

    /// Calls `function` for each mapping that touches `range`, in the order of their addresses.
    pub fn for_each(&self, range: VaRange, mut function: impl FnMut(Mapping<'_, T>)) {
        let mut rest = Some(range);
        while let Some(mapping) = rest.and_then(|range| self.find(range)) {
            rest = VaRange::between(mapping.range().end(), range.end());
            function(mapping);
        }
    }

    /// Carries out `request`: unmaps everything in its range, then maps the range.
    ///
    /// The driver updates its tables step by step, and gets `cx` for each step.
    ///
    /// # Errors
    ///
    /// The [result](Done::result) has the error, and nothing has changed then. It is `EINVAL` if
    /// the request was made for another address space, and `ECANCELED` if the address space has
    /// ended.
    pub fn map(&mut self, request: Map<T>, cx: &mut T::Context<'_>) -> Done<T> {
        let Map {
            range,
            offset,
            flags,
            mut resources,
        } = request;
        let result = self.admit(&resources).and_then(|()| {
            let (object, bo) = (resources.object(), resources.bo());
            let new = bindings::drm_gpuvm_map_req {
                map: map_op(range, object, offset),
            };
            let mut steps = Steps {
                vm: self.vm,
                tables: &mut self.state.tables,
                spare: &mut resources.spare,
                removed: &mut resources.removed,
                new: Some((flags, bo)),
                cx,
            };
            // SAFETY: The address space is locked. The steps get `steps` as the table's functions
            // expect it, because this is an address space of `T`. `bo`, a `drm_gpuvm_bo` of the
            // request's object in this address space, keeps the object. Or both are null
            // (L20, L25).
            to_result(unsafe { bindings::drm_gpuvm_sm_map(self.vm.as_raw(), steps.as_ptr(), &new) })
        });
        Done {
            result,
            _resources: resources,
        }
    }

    /// Carries out `request`: unmaps everything in its range, and cuts mappings that extend beyond
    /// it.
    ///
    /// # Errors
    ///
    /// Errors are those of [`map`](Self::map).
    pub fn unmap(&mut self, request: Unmap<T>, cx: &mut T::Context<'_>) -> Done<T> {
        let Unmap {
            range,
            mut resources,
        } = request;
        let result = self.admit(&resources).and_then(|()| {
            let mut steps = Steps {
                vm: self.vm,
                tables: &mut self.state.tables,
                spare: &mut resources.spare,
                removed: &mut resources.removed,
                new: None,
                cx,
            };
            // SAFETY: As in `map` (L20, L25).
            to_result(unsafe {
                bindings::drm_gpuvm_sm_unmap(
                    self.vm.as_raw(),
                    steps.as_ptr(),
                    range.start(),
                    range.len(),
                )
            })
        });
        Done {
            result,
            _resources: resources,
        }
    }

    /// Checks that a request may be carried out here.
    fn admit(&self, resources: &Resources<T>) -> Result {
        if !resources.vm.is_same(self.vm) {
            return Err(EINVAL);
        }
        if self.state.closed {
            return Err(ECANCELED);
        }
        Ok(())
    }
}

/// Returns a mapping in the form of C's operations.
fn map_op(
    range: VaRange,
    obj: *mut bindings::drm_gem_object,
    offset: u64,
) -> bindings::drm_gpuva_op_map {
    bindings::drm_gpuva_op_map {
        va: bindings::drm_gpuva_op_map__bindgen_ty_1 {
            addr: range.start(),
            range: range.len(),
        },
        gem: bindings::drm_gpuva_op_map__bindgen_ty_2 { offset, obj },
    }
}

/// The state shared by the steps of one request.
///
/// # Invariants
///
/// `vm` is locked, and the request has a reference to it, which it drops after `removed`. `spare`
/// has memory for the rest of the mappings that the request cuts, and for the new mapping if there
/// is one. The `drm_gpuvm_bo` in `new` belongs to `vm`, or is null.
struct Steps<'a, 'c, T: DriverVm> {
    vm: &'a Vm<T>,
    tables: &'a mut T::Tables,
    spare: &'a mut Spare<T>,
    /// The removed mappings. The request keeps them until the driver is done with them.
    removed: &'a mut Removed<T>,
    /// The flags of the added mapping, and the tie of its object to the address space.
    new: Option<(T::Flags, *mut bindings::drm_gpuvm_bo)>,
    cx: &'a mut T::Context<'c>,
}

impl<T: DriverVm> Steps<'_, '_, T> {
    fn as_ptr(&mut self) -> *mut c_void {
        core::ptr::from_mut(self).cast()
    }

    /// # Safety
    ///
    /// `op` is the map step of the request (L25).
    unsafe fn map(&mut self, op: &bindings::drm_gpuva_op_map) -> Result {
        let (flags, bo) = self.new.take().ok_or(EINVAL)?;
        // SAFETY: The object is the request's and that of `bo`. The address space is locked (L25).
        unsafe { self.spare.put(self.vm.as_raw(), op, flags, bo) }?;
        // SAFETY: As above. `bo` keeps the object at least until the request is dropped (L25).
        let new = unsafe { Mapping::from_op(op, flags) };
        T::map(self.vm, self.tables, &new, self.cx);
        Ok(())
    }

    /// # Safety
    ///
    /// `op` is a remap step of the request (L25).
    unsafe fn remap(&mut self, op: &bindings::drm_gpuva_op_remap) -> Result {
        // SAFETY: C passes the mapping that is cut. It is in the address space, and it is not the
        // reserved range, because requests that touch that are refused. Valid operations with the
        // same object, or null, describe the rest (L25).
        let (va, node, before, after) = unsafe {
            let va = (*op.unmap).va;
            (
                va,
                Node::<T>::from_raw(va),
                op.prev.as_ref(),
                op.next.as_ref(),
            )
        };
        let flags = node.flags;
        // SAFETY: The mapping keeps the object, by a share that it has until the request is dropped
        // (L25).
        let (remap, bo) = unsafe {
            let remap = Remap {
                old: Mapping::from_node(node),
                before: before.map(|op| Mapping::from_op(op, flags)),
                after: after.map(|op| Mapping::from_op(op, flags)),
            };
            (remap, (*va).vm_bo)
        };
        T::remap(self.vm, self.tables, &remap, self.cx);

        // SAFETY: The address space is locked, and the request refers to it. The mapping leaves the
        // tree before its parts are added, but keeps its tie to the object until the parts have
        // theirs (L25).
        unsafe {
            self.removed.take(va);
            for op in [before, after].into_iter().flatten() {
                self.spare.put(self.vm.as_raw(), op, flags, bo)?;
            }
        }
        Ok(())
    }

    /// # Safety
    ///
    /// `op` is an unmap step of the request (L25).
    unsafe fn unmap(&mut self, op: &bindings::drm_gpuva_op_unmap) {
        // SAFETY: As in `remap` (L25).
        unsafe {
            let old = Mapping::from_node(Node::<T>::from_raw(op.va)).range();
            T::unmap(self.vm, self.tables, old, self.cx);
            self.removed.take(op.va);
        }
    }
}

/// Implements `drm_gpuvm_ops::sm_step_map`.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it, with the argument that
/// [`Locked`] passed (L20).
pub(super) unsafe extern "C" fn step_map<T: DriverVm>(
    op: *mut bindings::drm_gpuva_op,
    steps: *mut c_void,
) -> c_int {
    // SAFETY: `steps` belongs to an address space with this table, so to one of `T`. `op` is a map
    // step (L20, L25).
    let result = unsafe { (*steps.cast::<Steps<'_, '_, T>>()).map(&(*op).__bindgen_anon_1.map) };
    result.map_or_else(|e| e.to_errno(), |()| 0)
}

/// Implements `drm_gpuvm_ops::sm_step_remap`.
///
/// # Safety
///
/// As for [`step_map`] (L20).
pub(super) unsafe extern "C" fn step_remap<T: DriverVm>(
    op: *mut bindings::drm_gpuva_op,
    steps: *mut c_void,
) -> c_int {
    // SAFETY: As in `step_map`. `op` is a remap step (L20, L25).
    let result =
        unsafe { (*steps.cast::<Steps<'_, '_, T>>()).remap(&(*op).__bindgen_anon_1.remap) };
    result.map_or_else(|e| e.to_errno(), |()| 0)
}

/// Implements `drm_gpuvm_ops::sm_step_unmap`.
///
/// # Safety
///
/// As for [`step_map`] (L20).
pub(super) unsafe extern "C" fn step_unmap<T: DriverVm>(
    op: *mut bindings::drm_gpuva_op,
    steps: *mut c_void,
) -> c_int {
    // SAFETY: As in `step_map`. `op` is an unmap step (L20, L25).
    unsafe { (*steps.cast::<Steps<'_, '_, T>>()).unmap(&(*op).__bindgen_anon_1.unmap) };
    0
}
