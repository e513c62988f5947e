// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! DMA mappings of objects, which are undone before their device's parent is unbound (L5).
//!
//! C would undo a mapping when the object is freed, which may be long after unbind. So a device
//! keeps a list of its mapped objects, and its teardown undoes all their mappings. An object that
//! is freed earlier undoes its own mapping under the same lock, so teardown waits for it.
//!
//! Lock order: take the list's lock before the reservation lock of the object that is mapped or
//! unmapped. The holder may wait for memory reclaim, so code that a fence waits for must not take
//! it. There, objects are already mapped, and the lock is not needed to see that.
//!
//! Source: Documentation/core-api/dma-api.rst; drivers/gpu/drm/drm_gem_shmem_helper.c

use crate::lock_class::lock_class;
use core::{
    cell::UnsafeCell,
    ops::Range,
    ptr::{
        null_mut,
        NonNull, //
    },
    sync::atomic::{
        AtomicBool,
        AtomicPtr,
        Ordering, //
    },
};
use kernel::{
    bindings,
    error::from_err_ptr,
    prelude::*,
    scatterlist::SGTable,
    sync::Mutex, //
};

/// The objects of a device that its parent has mapped for DMA.
///
/// # Invariants
///
/// Each entry is a `DmaNode` of a live object, and the node's `index` is its place in the list.
/// Nodes are read and written only under the lock.
#[pin_data]
pub(crate) struct DmaMappings {
    // The pages need not be contiguous, because a client decides how many objects there are.
    #[pin]
    mapped: Mutex<KVVec<Entry>>,
}

struct Entry(NonNull<DmaNode>);

// SAFETY: The fields of a node that are used through its entry are protected by the list's lock, or
// atomic. A node exists as long as its entry (L15).
unsafe impl Send for Entry {}

/// The list node of an object.
///
/// # Invariants
///
/// `table` is null, or the table of the object, which is then mapped. It changes only under the
/// list's lock.
pub(super) struct DmaNode {
    /// Whether the object was ever mapped. Only then can it be in the list.
    mapped: AtomicBool,
    index: UnsafeCell<Option<usize>>,
    /// The table of the mapped object, for readers without the lock.
    table: AtomicPtr<bindings::sg_table>,
    shmem: *mut bindings::drm_gem_shmem_object,
}

impl DmaNode {
    /// Creates the node of the object `shmem` that contains it.
    pub(super) fn new(shmem: *mut bindings::drm_gem_shmem_object) -> Self {
        Self {
            mapped: AtomicBool::new(false),
            index: UnsafeCell::new(None),
            table: AtomicPtr::new(null_mut()),
            shmem,
        }
    }
}

impl DmaMappings {
    pub(crate) fn new() -> impl PinInit<Self> {
        let (name, key) = lock_class!(c"drm_rust::DmaMappings");
        pin_init!(Self {
            mapped <- Mutex::new(KVVec::new(), name, key),
        })
    }

    /// Maps the object of `node`, unless it is mapped, and returns its table.
    ///
    /// Context: process context, may sleep. If the object was mapped before, any context: no lock
    /// is taken and nothing is allocated.
    ///
    /// # Safety
    ///
    /// The node belongs to a live object of the device that owns this list. The device's parent is
    /// bound and stays bound during the call (L5, L21).
    pub(super) unsafe fn map(&self, node: &DmaNode) -> Result<NonNull<bindings::sg_table>> {
        // The mapping is undone only when the object has no references or the device's parent is
        // unbound: not before this returns.
        if let Some(sgt) = NonNull::new(node.table.load(Ordering::Acquire)) {
            return Ok(sgt);
        }
        let mut mapped = self.mapped.lock();
        if let Some(sgt) = NonNull::new(node.table.load(Ordering::Relaxed)) {
            return Ok(sgt);
        }
        // Reserve first, so that nothing has to be undone. A client that requests too much must not
        // make the allocator warn.
        mapped.reserve(1, GFP_KERNEL | __GFP_NOWARN)?;

        // SAFETY: The object is live by the requirement (L21).
        let sgt = unsafe { map_object(node.shmem) }?;

        // SAFETY: We hold the lock (L5).
        let index = unsafe { &mut *node.index.get() };
        if index.is_none() {
            *index = Some(mapped.len());
            node.mapped.store(true, Ordering::Relaxed);
            // INVARIANT: The entry is at the last place, which was just noted.
            mapped.push(Entry(node.into()), GFP_KERNEL | __GFP_NOWARN)?;
        }
        // INVARIANT: The object is mapped. Code that reads the table this way sees everything that
        // C wrote there.
        node.table.store(sgt.as_ptr(), Ordering::Release);
        Ok(sgt)
    }

    /// Makes bytes of the object of `node` visible to the device, and with `both` also to the CPU,
    /// if the object is mapped.
    ///
    /// # Safety
    ///
    /// The node belongs to a live object of the device that owns this list, and the object is not
    /// imported. The device's parent is bound and stays bound during the call (L5, L21).
    pub(super) unsafe fn sync(&self, node: &DmaNode, range: Range<u64>, both: bool) {
        // Holding the lock keeps the mapping from being undone.
        let _mapped = self.mapped.lock();
        // SAFETY: We hold the lock (L5).
        if unsafe { (*node.index.get()).is_none() } {
            return;
        }
        // SAFETY: The object is mapped, so its table exists (L5).
        let table = unsafe { SGTable::from_raw((*node.shmem).sgt) };
        // SAFETY: The object is live (L11, L21).
        let parent = unsafe { (*(*node.shmem).base.dev).dev };
        let mut start = 0;
        for piece in table.iter() {
            let length: u64 = piece.dma_len();
            let end = start + length;
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                let address = piece.dma_address() + (from - start);
                let bytes = (to - from) as usize;
                // SAFETY: The piece is mapped for the parent in both directions, and the bytes lie
                // in it (L5).
                unsafe { crate::raw::drm_rust_dma_sync(parent, address, bytes, both) };
            }
            start = end;
        }
    }

    /// Undoes the mapping of the object of `node`, which is about to be freed, unless teardown has
    /// already done so.
    ///
    /// Context: process context, may sleep; takes the object's reservation lock. If the object was
    /// never mapped, any context.
    ///
    /// # Safety
    ///
    /// The node belongs to an object of the device that owns this list. The object has no
    /// references but is not yet released (L5).
    #[inline]
    pub(super) unsafe fn remove(&self, node: &DmaNode) {
        // Code that mapped the object held a reference and dropped it before, so no stronger order
        // is needed. Most objects are never mapped and need not wait for the lock.
        if node.mapped.load(Ordering::Relaxed) {
            // SAFETY: By the requirement (L5).
            unsafe { self.remove_mapped(node) };
        }
    }

    /// # Safety
    ///
    /// As for `remove` (L5).
    unsafe fn remove_mapped(&self, node: &DmaNode) {
        let mut mapped = self.mapped.lock();
        // SAFETY: We hold the lock (L5).
        let Some(index) = (unsafe { (*node.index.get()).take() }) else {
            return;
        };
        let Some(last) = mapped.pop() else {
            return;
        };
        if let Some(slot) = mapped.get_mut(index) {
            // INVARIANT: The last entry moves into the free place.
            // SAFETY: By the type invariants the node is live, and we hold the lock (L5).
            unsafe { *last.0.as_ref().index.get() = Some(index) };
            *slot = last;
        }
        // INVARIANT: The pointer is cleared before the object is unmapped.
        node.table.store(null_mut(), Ordering::Relaxed);
        // Unmap before releasing the lock. Teardown finds no entry for the object, but ends only
        // after this, and until then the parent is bound.
        // SAFETY: The object is not yet released, and its entry said that it is mapped (L5).
        unsafe { unmap_object(node.shmem) };
    }

    /// Undoes all mappings. The parent must still be bound. Context: process context, may sleep;
    /// takes reservation locks.
    pub(crate) fn undo_all(&self) {
        let mut mapped = self.mapped.lock();
        while let Some(entry) = mapped.pop() {
            // SAFETY: By the type invariants the node is live: an object that is being freed waits
            // for the lock in `remove` (L5).
            unsafe {
                let node = entry.0.as_ref();
                *node.index.get() = None;
                // INVARIANT: The pointer is cleared before the object is unmapped.
                node.table.store(null_mut(), Ordering::Relaxed);
                unmap_object(node.shmem);
            }
        }
    }
}

/// # Safety
///
/// `shmem` is a live object, and the lock of its device's list is held (L5, L21).
unsafe fn map_object(
    shmem: *mut bindings::drm_gem_shmem_object,
) -> Result<NonNull<bindings::sg_table>> {
    // SAFETY: The object is live. An imported object has a valid attachment. The field `sgt` is
    // used only under the list's lock until the object is released, which is after `remove`
    // (L5, L21).
    let sgt = unsafe {
        let attachment = (*shmem).base.import_attach;
        if attachment.is_null() {
            super::shmem::can_list_pages(&raw const (*shmem).base)?;
            from_err_ptr(bindings::drm_gem_shmem_get_pages_sgt(shmem))?
        } else if (*shmem).sgt.is_null() {
            (*shmem).sgt = from_err_ptr(bindings::dma_buf_map_attachment_unlocked(
                attachment,
                bindings::dma_data_direction::DMA_BIDIRECTIONAL,
            ))?;
            (*shmem).sgt
        } else {
            (*shmem).sgt
        }
    };
    NonNull::new(sgt).ok_or(ENOMEM)
}

/// # Safety
///
/// `shmem` is mapped and not yet released. The lock of its device's list is held, and the parent is
/// bound (L5).
unsafe fn unmap_object(shmem: *mut bindings::drm_gem_shmem_object) {
    // SAFETY: The object exists and is mapped. The pages of an object with its own memory were
    // taken together with the mapping, under the reservation lock, and are released with it
    // (L5, L22).
    unsafe {
        let attachment = (*shmem).base.import_attach;
        if attachment.is_null() {
            let resv = (*shmem).base.resv;
            bindings::dma_resv_lock(resv, null_mut());
            bindings::__drm_gem_shmem_free_sgt_locked(shmem);
            bindings::drm_gem_shmem_put_pages_locked(shmem);
            bindings::dma_resv_unlock(resv);
        } else {
            bindings::dma_buf_unmap_attachment_unlocked(
                attachment,
                (*shmem).sgt,
                bindings::dma_data_direction::DMA_BIDIRECTIONAL,
            );
            (*shmem).sgt = null_mut();
        }
    }
}
