// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An object mapped into the kernel's address space.
//!
//! C headers: `include/linux/iosys-map.h`, `include/drm/drm_gem.h`

use super::Class;
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::aref::ARef, //
};

/// A kernel mapping of a whole object. Keeps the object; unmapped when dropped.
///
/// Clients may map and change the same memory at any time, and it may be memory of a device, so there
/// are no references into it: bytes are copied in and out.
///
/// Context of dropping: process context, may sleep; takes the reservation lock, and may drop the last reference to the object.
///
/// # Invariants
///
/// `map` is a mapping of `obj` that `drm_gem_vmap()` returned, and unchanged: C has a `BUG_ON` for another. It begins with a
/// page and has all pages of `obj`, that of an imported object too, whose size is the dma-buf's, rounded up to a page.
///
/// # Examples
///
/// ```
/// # fn example(object: &Object) -> Result {
/// let map = object.vmap()?;
/// map.write(0, b"head")?;
/// let mut word = [0; 4];
/// map.read(4, &mut word)?;
/// # Ok(())
/// # }
/// ```
pub struct VMap<C: Class> {
    map: bindings::iosys_map,
    obj: ARef<C>,
}

impl<C: Class> VMap<C> {
    pub(super) fn new(obj: &C) -> Result<Self> {
        let mut map = bindings::iosys_map::default();
        // SAFETY: The object is valid; C fills in `map` on success (L21, L24).
        to_result(unsafe { bindings::drm_gem_vmap(obj.as_raw(), &mut map) })?;
        // INVARIANT: Just mapped. Exporters map whole pages; the pages of one of ours are mapped all.
        Ok(Self {
            map,
            obj: obj.into(),
        })
    }

    /// The object.
    pub fn object(&self) -> &C {
        &self.obj
    }

    /// Copies the bytes at `offset` into `to`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that goes beyond the object; nothing is copied then.
    ///
    /// Context: any.
    pub fn read(&self, offset: usize, to: &mut [u8]) -> Result {
        self.check(offset, to.len())?;
        // SAFETY: The range lies in the mapping, which is valid by the type invariants (L24).
        unsafe {
            crate::raw::drm_rust_iosys_map_read(to.as_mut_ptr().cast(), &self.map, offset, to.len())
        };
        Ok(())
    }

    /// Copies `from` to the bytes at `offset`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that goes beyond the object; nothing is copied then.
    ///
    /// Context: any.
    pub fn write(&self, offset: usize, from: &[u8]) -> Result {
        self.check(offset, from.len())?;
        // SAFETY: The range lies in the mapping, which is valid by the type invariants (L24).
        unsafe {
            crate::raw::drm_rust_iosys_map_write(
                &self.map,
                offset,
                from.as_ptr().cast(),
                from.len(),
            )
        };
        Ok(())
    }

    /// The word at `offset`, read at once: a word that hardware writes meanwhile is the old one or the new one.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is not aligned, or beyond the object.
    ///
    /// Context: any.
    pub fn read_word(&self, offset: usize) -> Result<u32> {
        self.check_word(offset)?;
        // SAFETY: The word lies in the mapping, which is valid by the type invariants, and is aligned, as mappings begin
        // with a page (L24).
        Ok(unsafe { crate::raw::drm_rust_iosys_map_read_word(&self.map, offset) })
    }

    /// Writes the word at `offset` at once: hardware that reads meanwhile sees the old one or the new one.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is not aligned, or beyond the object.
    ///
    /// Context: any.
    pub fn write_word(&self, offset: usize, word: u32) -> Result {
        self.check_word(offset)?;
        // SAFETY: As in `read_word` (L24).
        unsafe { crate::raw::drm_rust_iosys_map_write_word(&self.map, offset, word) };
        Ok(())
    }

    fn check_word(&self, offset: usize) -> Result {
        if offset % size_of::<u32>() != 0 {
            return Err(EINVAL);
        }
        self.check(offset, size_of::<u32>())
    }

    fn check(&self, offset: usize, len: usize) -> Result {
        match offset.checked_add(len) {
            Some(end) if end <= self.obj.size().bytes() => Ok(()),
            _ => Err(EINVAL),
        }
    }
}

impl<C: Class> Drop for VMap<C> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants; the mapping is not used any more (L24).
        unsafe { bindings::drm_gem_vunmap(self.obj.as_raw(), &mut self.map) };
    }
}

// SAFETY: The mapping is the kernel's, valid in every thread; the object is `Send + Sync` (L15).
unsafe impl<C: Class> Send for VMap<C> {}

// SAFETY: As for `Send`; concurrent copies race like clients' do, on plain memory, in C (L15).
unsafe impl<C: Class> Sync for VMap<C> {}
