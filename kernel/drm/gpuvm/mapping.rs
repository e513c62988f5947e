// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Mappings as a driver sees them, and the C nodes that they are kept in.
//!
//! C header: `include/drm/drm_gpuvm.h` (`struct drm_gpuva`)

use super::{
    DriverVm,
    ObjectOf,
    VaRange, //
};
use crate::gem::Class;
use core::{
    cell::UnsafeCell,
    mem::{
        offset_of,
        MaybeUninit, //
    },
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    types::Opaque, //
};

/// A mapping, or what will be one or was one: a range of addresses, and what is there.
pub struct Mapping<'a, T: DriverVm> {
    range: VaRange,
    object: Option<&'a ObjectOf<T>>,
    offset: u64,
    flags: T::Flags,
}

impl<T: DriverVm> Clone for Mapping<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: DriverVm> Copy for Mapping<'_, T> {}

impl<'a, T: DriverVm> Mapping<'a, T> {
    /// Where it is.
    pub fn range(&self) -> VaRange {
        self.range
    }

    /// The object that is mapped; none for a [sparse](super::Map::sparse) mapping.
    pub fn object(&self) -> Option<&'a ObjectOf<T>> {
        self.object
    }

    /// Where in the object the mapping begins, in bytes. All of the mapping lies within the object. Means nothing in
    /// a sparse mapping.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What the driver noted with it.
    pub fn flags(&self) -> T::Flags {
        self.flags
    }

    /// What C describes with an operation, noted with `flags`.
    ///
    /// # Safety
    ///
    /// The object in `op` is null, or one of the class of `T`'s driver that is kept for `'a` (L12, L25).
    pub(super) unsafe fn from_op(op: &bindings::drm_gpuva_op_map, flags: T::Flags) -> Self {
        let object = NonNull::new(op.gem.obj).map(|obj| {
            // SAFETY: By the requirement (L12, L25).
            unsafe { Class::from_raw(obj.as_ptr()) }
        });
        Self {
            range: VaRange::from_valid(op.va.addr, op.va.range),
            object,
            offset: op.gem.offset,
            flags,
        }
    }

    /// The mapping of a node.
    ///
    /// # Safety
    ///
    /// `node` is one of an address space of `T` and stays in it for `'a` (L25).
    pub(super) unsafe fn from_node(node: &'a Node<T>) -> Self {
        let va = node.va.get();
        // SAFETY: By the requirement; a node holds its object through its `drm_gpuvm_bo`, and its fields do
        // not change (L11, L25).
        unsafe {
            Self {
                range: VaRange::from_valid((*va).va.addr, (*va).va.range),
                object: NonNull::new((*va).gem.obj).map(|obj| Class::from_raw(obj.as_ptr())),
                offset: (*va).gem.offset,
                flags: node.flags,
            }
        }
    }
}

/// A mapping of which a part is unmapped.
pub struct Remap<'a, T: DriverVm> {
    pub(super) old: Mapping<'a, T>,
    pub(super) before: Option<Mapping<'a, T>>,
    pub(super) after: Option<Mapping<'a, T>>,
}

impl<'a, T: DriverVm> Remap<'a, T> {
    /// The mapping as it was.
    pub fn old(&self) -> &Mapping<'a, T> {
        &self.old
    }

    /// What is left of it below the part that goes.
    pub fn before(&self) -> Option<&Mapping<'a, T>> {
        self.before.as_ref()
    }

    /// What is left of it above.
    pub fn after(&self) -> Option<&Mapping<'a, T>> {
        self.after.as_ref()
    }

    /// The part that goes.
    pub fn hole(&self) -> VaRange {
        let start = self
            .before
            .map_or(self.old.range.start(), |m| m.range.end());
        let end = self.after.map_or(self.old.range.end(), |m| m.range.start());
        // What is left lies at the ends of the old mapping, and C cuts only where something goes.
        VaRange::from_valid(start, end - start)
    }
}

/// The C node of a mapping, with what the driver noted.
///
/// # Invariants
///
/// Once it is in an address space it lies in a box that was turned into a pointer, and does not change but for `next`,
/// which belongs to the [`Removed`] that it gets into.
#[repr(C)]
pub(super) struct Node<T: DriverVm> {
    va: Opaque<bindings::drm_gpuva>,
    pub(super) flags: T::Flags,
    next: UnsafeCell<Option<NonNull<Self>>>,
}

impl<T: DriverVm> Node<T> {
    /// The node around a C node.
    ///
    /// # Safety
    ///
    /// `va` is a mapping in an address space of `T`, not the reserved range, and stays there for `'a` (L25).
    pub(super) unsafe fn from_raw<'a>(va: *mut bindings::drm_gpuva) -> &'a Self {
        // SAFETY: Only nodes of this type are put into such an address space (`Spare::put`) (L25).
        unsafe { &*va.byte_sub(offset_of!(Self, va)).cast() }
    }
}

/// Mappings that are in their address space no more, but still have their shares of their objects: the GPU may still
/// use what was mapped, until its caches are flushed.
///
/// Nobody else can give up these shares, so the objects stay as long as this does, whoever cleans up meanwhile.
///
/// Context of dropping: process context, may sleep. The objects go with the next clean-up of the address space.
///
/// # Invariants
///
/// A list of boxes that `Spare::put` turned into pointers, which are owned. Each was in an address space to which who
/// has this also has a reference, and is in its tree no more.
pub(super) struct Removed<T: DriverVm>(Option<NonNull<Node<T>>>);

// SAFETY: The nodes are nobody else's, and their flags are `Send`; C locks the objects' lists (L15).
unsafe impl<T: DriverVm> Send for Removed<T> {}
// SAFETY: A shared reference gives nothing (L15).
unsafe impl<T: DriverVm> Sync for Removed<T> {}

impl<T: DriverVm> Removed<T> {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self(None)
    }

    /// Takes a mapping out of its address space.
    ///
    /// # Safety
    ///
    /// `va` is a mapping in an address space of `T`, not the reserved range. The address space is locked, and a
    /// reference to it is held for longer than `self` (L25).
    pub(super) unsafe fn take(&mut self, va: *mut bindings::drm_gpuva) {
        // SAFETY: By the requirement; the lock protects the tree. The node is ours from here on (L25).
        unsafe {
            bindings::drm_gpuva_remove(va);
            let node = va.byte_sub(offset_of!(Node<T>, va)).cast::<Node<T>>();
            *(*node).next.get() = self.0;
            // INVARIANT: As just removed.
            self.0 = NonNull::new(node);
        }
    }
}

impl<T: DriverVm> Drop for Removed<T> {
    fn drop(&mut self) {
        while let Some(node) = self.0 {
            // SAFETY: By the type invariants the node is ours. It has its own reference to its tie to the object, which keeps
            // both address space and object until the clean-up. The call takes the object's lock. The box is taken apart
            // only after the call (L25).
            unsafe {
                self.0 = *(*node.as_ptr()).next.get();
                bindings::drm_gpuva_unlink_defer((*node.as_ptr()).va.get());
                drop(KBox::from_raw(node.as_ptr()));
            }
        }
    }
}

/// Memory for the mappings that a request may add: at most one that is new, and two that are left of others.
pub(super) struct Spare<T: DriverVm>([Option<KBox<MaybeUninit<Node<T>>>>; 3]);

// SAFETY: It is memory that nobody else uses, and in which nothing is (L15).
unsafe impl<T: DriverVm> Send for Spare<T> {}
// SAFETY: A shared reference gives nothing (L15).
unsafe impl<T: DriverVm> Sync for Spare<T> {}

impl<T: DriverVm> Spare<T> {
    /// Memory for `count` mappings, three at most.
    pub(super) fn new(count: usize) -> Result<Self> {
        let mut spare = Self([None, None, None]);
        for slot in spare.0.iter_mut().take(count) {
            *slot = Some(KBox::new_uninit(GFP_KERNEL)?);
        }
        Ok(spare)
    }

    /// Puts a mapping into an address space.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if no memory is left, and what C says if the range is not free or not one of the address space; neither
    /// happens in the steps that C computes for a request.
    ///
    /// # Safety
    ///
    /// - `vm` is an address space of `T`, whose lock is held.
    /// - The object in `op` is null and so is `bo`, or it is that of `bo`, a `drm_gpuvm_bo` of `vm` (L25).
    pub(super) unsafe fn put(
        &mut self,
        vm: *mut bindings::drm_gpuvm,
        op: &bindings::drm_gpuva_op_map,
        flags: T::Flags,
        bo: *mut bindings::drm_gpuvm_bo,
    ) -> Result {
        let slot = self.0.iter_mut().find_map(Option::take).ok_or(ENOMEM)?;
        let node = KBox::write(
            slot,
            Node {
                va: Opaque::zeroed(),
                flags,
                next: UnsafeCell::new(None),
            },
        );
        let va = node.va.get();
        // SAFETY: The node is ours. It stays where it is when the box becomes a pointer (L25).
        unsafe {
            (*va).va.addr = op.va.addr;
            (*va).va.range = op.va.range;
            (*va).gem.obj = op.gem.obj;
            (*va).gem.offset = op.gem.offset;
            if op.gem.obj.is_null() {
                (*va).flags = bindings::drm_gpuva_flags_DRM_GPUVA_SPARSE;
            }
        }
        // SAFETY: By the requirements; the lock protects the tree (L25).
        kernel::error::to_result(unsafe { bindings::drm_gpuva_insert(vm, va) })?;
        // INVARIANT: It is in the address space now.
        let _ = KBox::into_raw(node);
        // SAFETY: The node is in `vm`; `bo` is that of its object, and the helper takes the object's lock (L25).
        unsafe { crate::raw::drm_rust_gpuva_link(va, bo) };
        Ok(())
    }
}
