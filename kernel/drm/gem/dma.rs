// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! DMA mappings of objects, undone before their device's parent is unbound (L5).
//!
//! C would undo a mapping when the object is freed, which may be long after unbind. A device therefore
//! knows the objects that are mapped, and its teardown undoes them all; an object that is freed before
//! undoes its own under the same lock, so that teardown waits for it.
//!
//! Lock order: the list's lock is taken before the reservation lock of the object that is mapped or unmapped. Who holds
//! it may wait for memory, so where a fence waits it is not taken: there, objects are mapped already, which is told
//! without it.
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

/// The objects of a device that are mapped for DMA by its parent.
///
/// # Invariants
///
/// Each entry is a `DmaNode` of a live object, whose `index` is its place in the list. Nodes are read
/// and written under the lock only.
#[pin_data]
pub(crate) struct DmaMappings {
    // Of pages that need not lie together: a client decides how many objects there are.
    #[pin]
    mapped: Mutex<KVVec<Entry>>,
}

struct Entry(NonNull<DmaNode>);

// SAFETY: What is used of a node through its entry is protected by the list's lock, or atomic; a node is there as long as its
// entry (L15).
unsafe impl Send for Entry {}

/// An object's part of the list.
///
/// # Invariants
///
/// `table` is null, or that of the object, which is mapped. It is changed under the list's lock only.
pub(super) struct DmaNode {
    /// Whether the object was ever mapped, so that the list may know it.
    mapped: AtomicBool,
    index: UnsafeCell<Option<usize>>,
    /// Where the object is mapped, for those who do not have the lock.
    table: AtomicPtr<bindings::sg_table>,
    shmem: *mut bindings::drm_gem_shmem_object,
}

impl DmaNode {
    /// A node for the object `shmem`, in which it lies.
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

    /// Maps the object of `node`, unless it is, and returns its table.
    ///
    /// Context: process context, may sleep. Of an object that was mapped before, it is any context: no lock is taken,
    /// and nothing is allocated.
    ///
    /// # Safety
    ///
    /// The node is that of a live object of the device whose list this is, the device's parent is bound
    /// and stays so during the call (L5, L21).
    pub(super) unsafe fn map(&self, node: &DmaNode) -> Result<NonNull<bindings::sg_table>> {
        // Undone only without references to the object, or when its device's parent goes: not before we return.
        if let Some(sgt) = NonNull::new(node.table.load(Ordering::Acquire)) {
            return Ok(sgt);
        }
        let mut mapped = self.mapped.lock();
        if let Some(sgt) = NonNull::new(node.table.load(Ordering::Relaxed)) {
            return Ok(sgt);
        }
        // Room first, so that nothing has to be undone. A client that asks for too much is no reason for the
        // allocator to warn.
        mapped.reserve(1, GFP_KERNEL | __GFP_NOWARN)?;

        // SAFETY: The object is live by the requirement (L21).
        let sgt = unsafe { map_object(node.shmem) }?;

        // SAFETY: We hold the lock (L5).
        let index = unsafe { &mut *node.index.get() };
        if index.is_none() {
            *index = Some(mapped.len());
            node.mapped.store(true, Ordering::Relaxed);
            // INVARIANT: The last place, as just noted.
            mapped.push(Entry(node.into()), GFP_KERNEL | __GFP_NOWARN)?;
        }
        // INVARIANT: It is mapped. Whoever sees the table this way sees what C has written there.
        node.table.store(sgt.as_ptr(), Ordering::Release);
        Ok(sgt)
    }

    /// Makes bytes of the object of `node` visible to the device, and to the CPU too with `both`, if the object is
    /// mapped.
    ///
    /// # Safety
    ///
    /// The node is that of a live object of the device whose list this is, and not an imported one; the device's parent
    /// is bound and stays so during the call (L5, L21).
    pub(super) unsafe fn sync(&self, node: &DmaNode, range: Range<u64>, both: bool) {
        // Held, so that the mapping is not undone meanwhile.
        let _mapped = self.mapped.lock();
        // SAFETY: We hold the lock (L5).
        if unsafe { (*node.index.get()).is_none() } {
            return;
        }
        // SAFETY: The object is mapped, so that its table is there (L5).
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
                // SAFETY: The piece is mapped for the parent, in both directions, and the bytes lie in it (L5).
                unsafe { crate::raw::drm_rust_dma_sync(parent, address, bytes, both) };
            }
            start = end;
        }
    }

    /// Undoes the mapping of the object of `node`, which is about to be freed, unless teardown has done so.
    ///
    /// Context: process context, may sleep; takes the object's reservation lock. Of an object that was never mapped, it is
    /// any context.
    ///
    /// # Safety
    ///
    /// The node is that of an object of the device whose list this is, without references but not yet released (L5).
    #[inline]
    pub(super) unsafe fn remove(&self, node: &DmaNode) {
        // Whoever mapped the object had a reference, and gave it back before: no stronger order is
        // needed. Most objects are never mapped and need not wait for the lock.
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
            // INVARIANT: The last entry moves into the place that became free.
            // SAFETY: By the type invariants the node is live; we hold the lock (L5).
            unsafe { *last.0.as_ref().index.get() = Some(index) };
            *slot = last;
        }
        // INVARIANT: Before it is unmapped.
        node.table.store(null_mut(), Ordering::Relaxed);
        // Before the lock is released: teardown, which finds no entry for it, ends only after this, and until
        // then the parent is bound.
        // SAFETY: The object is not yet released; its entry said that it is mapped (L5).
        unsafe { unmap_object(node.shmem) };
    }

    /// Undoes all mappings. The parent is still bound. Context: process context, may sleep; takes reservation locks.
    pub(crate) fn undo_all(&self) {
        let mut mapped = self.mapped.lock();
        while let Some(entry) = mapped.pop() {
            // SAFETY: By the type invariants the node is live: an object that is being freed waits in
            // `remove` for the lock (L5).
            unsafe {
                let node = entry.0.as_ref();
                *node.index.get() = None;
                // INVARIANT: Before it is unmapped.
                node.table.store(null_mut(), Ordering::Relaxed);
                unmap_object(node.shmem);
            }
        }
    }
}

/// # Safety
///
/// `shmem` is a live object; the lock of its device's list is held (L5, L21).
unsafe fn map_object(
    shmem: *mut bindings::drm_gem_shmem_object,
) -> Result<NonNull<bindings::sg_table>> {
    // SAFETY: The object is live. For an imported one the attachment is valid, and the field `sgt` is
    // used under the list's lock only, until the object is released, which is after `remove` (L5, L21).
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
/// `shmem` is not yet released, and mapped; the lock of its device's list is held and the parent is bound (L5).
unsafe fn unmap_object(shmem: *mut bindings::drm_gem_shmem_object) {
    // SAFETY: The object is there and mapped. An own object's pages were taken together with the
    // mapping, under the reservation lock, and are given back with it (L5, L22).
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
