// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The callbacks that C makes for an object backed by shmem.
//!
//! C's helpers that do the work take a `drm_gem_shmem_object`. The header has inline functions that
//! adapt them to the table of functions. The functions here are their counterparts.
//!
//! C header: `include/drm/drm_gem_shmem_helper.h`

use crate::gem::has_own_resv;
use core::ptr::{
    null,
    null_mut, //
};
use kernel::{
    bindings,
    page::PAGE_SHIFT,
    prelude::*, //
};

/// Returns whether C can list the object's pages. C allocates the list in one piece, and warns if
/// that is larger than `INT_MAX`: a terabyte of memory. Any client can create such an object,
/// because its pages are allocated later.
///
/// # Errors
///
/// Fails with `ENOMEM`.
///
/// # Safety
///
/// `obj` is a valid object (L21).
pub(in crate::gem) unsafe fn can_list_pages(obj: *const bindings::drm_gem_object) -> Result {
    // SAFETY: By the requirement. The size does not change (L13).
    let pages = unsafe { (*obj).size } >> PAGE_SHIFT;
    if pages > c_int::MAX as usize / size_of::<*mut bindings::page>() {
        return Err(ENOMEM);
    }
    Ok(())
}

/// Exports an object, unless it shares the reservation object of an address space: importers would
/// wait for all work on the address space.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(super) unsafe extern "C" fn export(
    obj: *mut bindings::drm_gem_object,
    flags: c_int,
) -> *mut bindings::dma_buf {
    // SAFETY: C passes a valid object. An imported one is exported by its exporter (L12).
    if unsafe { !has_own_resv(obj) && (*obj).import_attach.is_null() } {
        return EINVAL.to_ptr();
    }
    // SAFETY: As above. C calls this function if there is no callback (L12).
    unsafe { bindings::drm_gem_prime_export(obj, flags) }
}

/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(super) unsafe extern "C" fn print_info(
    p: *mut bindings::drm_printer,
    indent: c_uint,
    obj: *const bindings::drm_gem_object,
) {
    // SAFETY: C passes an object with these functions, so it is at the start of a shmem object
    // (L12).
    unsafe { bindings::drm_gem_shmem_print_info(obj.cast(), p, indent) }
}

/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(super) unsafe extern "C" fn pin(obj: *mut bindings::drm_gem_object) -> c_int {
    // SAFETY: As in `print_info` (L12).
    if let Err(error) = unsafe { can_list_pages(obj) } {
        return error.to_errno();
    }
    // SAFETY: As in `print_info`. C holds the reservation lock (L22).
    unsafe { bindings::drm_gem_shmem_pin_locked(obj.cast()) }
}

/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(super) unsafe extern "C" fn unpin(obj: *mut bindings::drm_gem_object) {
    // SAFETY: As in `pin` (L22).
    unsafe { bindings::drm_gem_shmem_unpin_locked(obj.cast()) }
}

/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(super) unsafe extern "C" fn get_sg_table(
    obj: *mut bindings::drm_gem_object,
) -> *mut bindings::sg_table {
    // SAFETY: As in `print_info`. C has pinned the pages (L12).
    unsafe { bindings::drm_gem_shmem_get_sg_table(obj.cast()) }
}

/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(super) unsafe extern "C" fn vmap(
    obj: *mut bindings::drm_gem_object,
    map: *mut bindings::iosys_map,
) -> c_int {
    // SAFETY: As in `print_info` (L12).
    if let Err(error) = unsafe { can_list_pages(obj) } {
        return error.to_errno();
    }
    // SAFETY: As in `pin` (L22).
    unsafe { bindings::drm_gem_shmem_vmap_locked(obj.cast(), map) }
}

/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(super) unsafe extern "C" fn vunmap(
    obj: *mut bindings::drm_gem_object,
    map: *mut bindings::iosys_map,
) {
    // SAFETY: As in `pin` (L22).
    unsafe { bindings::drm_gem_shmem_vunmap_locked(obj.cast(), map) }
}

/// Maps the pages of an object, or lets the exporter of an imported object map them.
///
/// For an imported object, C's function maps `obj->dma_buf`. C clears that field when the object's
/// last handle is closed. That may happen while the object is being mapped, or before the driver
/// creates another handle of it, and C would then warn. The dma-buf of the attachment lives as long
/// as the object.
///
/// Not inlined into drivers, because only this module imports the symbol namespace `DMA_BUF`.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
#[inline(never)]
pub(super) unsafe extern "C" fn mmap(
    obj: *mut bindings::drm_gem_object,
    vma: *mut bindings::vm_area_struct,
) -> c_int {
    // SAFETY: C passes an object with these functions, to which it holds a reference. The field
    // does not change after the object's creation (L12, L21).
    let attachment = unsafe { (*obj).import_attach };
    if attachment.is_null() {
        // SAFETY: As above (L21).
        if let Err(error) = unsafe { can_list_pages(obj) } {
            return error.to_errno();
        }
        // SAFETY: As above, so it is at the start of a shmem object. C passes the mapping that is
        // being created (L12, L20).
        return unsafe { bindings::drm_gem_shmem_mmap(obj.cast(), vma) };
    }
    // SAFETY: The object owns the attachment and a reference to its dma-buf. The mapping is being
    // created, so no other code uses it, and its operations become the exporter's. Those do not
    // drop the reference to the object that C took for the mapping; C's caller holds another
    // (L20, L21).
    unsafe {
        (*vma).vm_private_data = null_mut();
        (*vma).vm_ops = null();
        let error = bindings::dma_buf_mmap((*attachment).dmabuf, vma, 0);
        if error == 0 {
            crate::raw::drm_rust_gem_object_put(obj);
        }
        error
    }
}
