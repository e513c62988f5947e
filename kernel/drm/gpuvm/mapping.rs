// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Mappings as a driver sees them, and the C nodes that hold them.
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

/// A present, future or former mapping: a range of addresses, and the object mapped there.
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
    /// Returns the range of the mapping.
    pub fn range(&self) -> VaRange {
        self.range
    }

    /// Returns the mapped object, or `None` for a [sparse](super::Map::sparse) mapping.
    pub fn object(&self) -> Option<&'a ObjectOf<T>> {
        self.object
    }

    /// Returns the offset in bytes at which the mapping begins in the object. All of the mapping
    /// lies within the object. The offset of a sparse mapping has no meaning.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the flags that the driver noted on the mapping.
    pub fn flags(&self) -> T::Flags {
        self.flags
    }

    /// Creates the mapping that a C operation describes, with `flags`.
    ///
    /// # Safety
    ///
    /// The object in `op` is null, or of the class of `T`'s driver and kept for `'a` (L12, L25).
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

    /// Creates the mapping of a node.
    ///
    /// # Safety
    ///
    /// `node` belongs to an address space of `T` and stays in it for `'a` (L25).
    pub(super) unsafe fn from_node(node: &'a Node<T>) -> Self {
        let va = node.va.get();
        // SAFETY: By the requirement. A node holds its object through its `drm_gpuvm_bo`, and its
        // fields do not change (L11, L25).
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

/// A mapping that is unmapped in part.
pub struct Remap<'a, T: DriverVm> {
    pub(super) old: Mapping<'a, T>,
    pub(super) before: Option<Mapping<'a, T>>,
    pub(super) after: Option<Mapping<'a, T>>,
}

impl<'a, T: DriverVm> Remap<'a, T> {
    /// Returns the mapping as it was.
    pub fn old(&self) -> &Mapping<'a, T> {
        &self.old
    }

    /// Returns the rest of the mapping below the unmapped part.
    pub fn before(&self) -> Option<&Mapping<'a, T>> {
        self.before.as_ref()
    }

    /// Returns the rest of the mapping above the unmapped part.
    pub fn after(&self) -> Option<&Mapping<'a, T>> {
        self.after.as_ref()
    }

    /// Returns the unmapped part.
    pub fn hole(&self) -> VaRange {
        let start = self
            .before
            .map_or(self.old.range.start(), |m| m.range.end());
        let end = self.after.map_or(self.old.range.end(), |m| m.range.start());
        // The rest lies at the ends of the old mapping, and C cuts only if there is a part to
        // unmap.
        VaRange::from_valid(start, end - start)
    }
}

/// The C node of a mapping, with the driver's flags.
///
/// # Invariants
///
/// Once in an address space, the node lies in a box that was turned into a pointer. It does not
/// change except for `next`, which belongs to the [`Removed`] that takes the node.
#[repr(C)]
pub(super) struct Node<T: DriverVm> {
    va: Opaque<bindings::drm_gpuva>,
    pub(super) flags: T::Flags,
    next: UnsafeCell<Option<NonNull<Self>>>,
}

impl<T: DriverVm> Node<T> {
    /// Returns the node that contains a C node.
    ///
    /// # Safety
    ///
    /// `va` is a mapping in an address space of `T`, not the reserved range, and stays there for
    /// `'a` (L25).
    pub(super) unsafe fn from_raw<'a>(va: *mut bindings::drm_gpuva) -> &'a Self {
        // SAFETY: Only nodes of this type are put into such an address space (`Spare::put`) (L25).
        unsafe { &*va.byte_sub(offset_of!(Self, va)).cast() }
    }
}

/// Mappings that were removed from their address space, but still have their shares of their
/// objects. The GPU may still use the memory until its caches are flushed.
///
/// No other code can drop these shares. So the objects stay as long as this value, even if other
/// code cleans up in between.
///
/// Context of dropping: process context, may sleep. The next cleanup of the address space drops the
/// objects.
///
/// # Invariants
///
/// An owned list of boxes that `Spare::put` turned into pointers. Each was in an address space and
/// is no longer in its tree. The owner of this value also has a reference to that address space.
pub(super) struct Removed<T: DriverVm>(Option<NonNull<Node<T>>>);

// SAFETY: No other code uses the nodes, and their flags are `Send`. C locks the objects' lists
// (L15).
unsafe impl<T: DriverVm> Send for Removed<T> {}
// SAFETY: A shared reference offers no operation (L15).
unsafe impl<T: DriverVm> Sync for Removed<T> {}

impl<T: DriverVm> Removed<T> {
    /// Creates an empty list.
    pub(super) const fn new() -> Self {
        Self(None)
    }

    /// Removes a mapping from its address space.
    ///
    /// # Safety
    ///
    /// `va` is a mapping in an address space of `T`, not the reserved range. The address space is
    /// locked, and a reference to it is held for longer than `self` (L25).
    pub(super) unsafe fn take(&mut self, va: *mut bindings::drm_gpuva) {
        // SAFETY: By the requirement. The lock protects the tree. The node is ours from here on
        // (L25).
        unsafe {
            bindings::drm_gpuva_remove(va);
            let node = va.byte_sub(offset_of!(Node<T>, va)).cast::<Node<T>>();
            *(*node).next.get() = self.0;
            // INVARIANT: The node was just removed.
            self.0 = NonNull::new(node);
        }
    }
}

impl<T: DriverVm> Drop for Removed<T> {
    fn drop(&mut self) {
        while let Some(node) = self.0 {
            // SAFETY: By the type invariants the node is ours. It has its own reference to its tie
            // to the object, which keeps both address space and object until the cleanup. The call
            // takes the object's lock. The box is taken apart only after the call (L25).
            unsafe {
                self.0 = *(*node.as_ptr()).next.get();
                bindings::drm_gpuva_unlink_defer((*node.as_ptr()).va.get());
                drop(KBox::from_raw(node.as_ptr()));
            }
        }
    }
}

/// Memory for the mappings that a request may add: at most one new mapping and two parts of cut
/// ones.
pub(super) struct Spare<T: DriverVm>([Option<KBox<MaybeUninit<Node<T>>>>; 3]);

// SAFETY: No other code uses the memory, and it is empty (L15).
unsafe impl<T: DriverVm> Send for Spare<T> {}
// SAFETY: A shared reference offers no operation (L15).
unsafe impl<T: DriverVm> Sync for Spare<T> {}

impl<T: DriverVm> Spare<T> {
    /// Allocates memory for `count` mappings, at most three.
    pub(super) fn new(count: usize) -> Result<Self> {
        let mut spare = Self([None, None, None]);
        for slot in spare.0.iter_mut().take(count) {
            *slot = Some(KBox::new_uninit(GFP_KERNEL)?);
        }
        Ok(spare)
    }

    /// Adds a mapping to an address space.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM` if no memory is left, and with C's error if the range is not free or not
    /// part of the address space. Neither happens in the steps that C computes for a request.
    ///
    /// # Safety
    ///
    /// - `vm` is an address space of `T`, whose lock is held.
    /// - The object in `op` and `bo` are both null, or the object is that of `bo`, a `drm_gpuvm_bo`
    ///   of `vm` (L25).
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
        // SAFETY: The node is ours. It stays in place when the box becomes a pointer (L25).
        unsafe {
            (*va).va.addr = op.va.addr;
            (*va).va.range = op.va.range;
            (*va).gem.obj = op.gem.obj;
            (*va).gem.offset = op.gem.offset;
            if op.gem.obj.is_null() {
                (*va).flags = bindings::drm_gpuva_flags_DRM_GPUVA_SPARSE;
            }
        }
        // SAFETY: By the requirements. The lock protects the tree (L25).
        kernel::error::to_result(unsafe { bindings::drm_gpuva_insert(vm, va) })?;
        // INVARIANT: The node is in the address space now.
        let _ = KBox::into_raw(node);
        // SAFETY: The node is in `vm`. `bo` is that of its object, and the helper takes the
        // object's lock (L25).
        unsafe { crate::raw::drm_rust_gpuva_link(va, bo) };
        Ok(())
    }
}
