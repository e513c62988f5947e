// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Mappings of objects into the kernel's address space.
//!
//! C headers: `include/linux/iosys-map.h`, `include/drm/drm_gem.h`

use super::Class;
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::aref::ARef, //
};

/// A kernel mapping of a whole object. It keeps the object, and is unmapped when dropped.
///
/// Clients may map and change the same memory at any time, and it may be memory of a device. So
/// there are no references into it: bytes are copied in and out.
///
/// Context of dropping: process context, may sleep; takes the reservation lock, and may drop the last reference to the object.
///
/// # Invariants
///
/// `map` is the unchanged mapping of `obj` that `drm_gem_vmap()` returned; C calls `BUG` for any
/// other. It starts at a page and covers all pages of `obj`. That holds for an imported object too,
/// whose size is that of the dma-buf rounded up to a page.
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
        // SAFETY: The object is valid. C fills in `map` on success (L21, L24).
        to_result(unsafe { bindings::drm_gem_vmap(obj.as_raw(), &mut map) })?;
        // INVARIANT: The object was just mapped. Exporters map whole pages, and all pages of our
        // own objects are mapped.
        Ok(Self {
            map,
            obj: obj.into(),
        })
    }

    /// Returns the mapped object.
    pub fn object(&self) -> &C {
        &self.obj
    }

    /// Copies the bytes at `offset` into `to`.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if the range exceeds the object. Nothing is copied then.
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
    /// Fails with `EINVAL` if the range exceeds the object. Nothing is copied then.
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

    /// Reads the word at `offset` in one access. If hardware writes the word at the same time, the
    /// result is the old or the new word.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if the word is not aligned or lies beyond the object.
    ///
    /// Context: any.
    pub fn read_word(&self, offset: usize) -> Result<u32> {
        self.check_word(offset)?;
        // SAFETY: The word lies in the mapping, which is valid by the type invariants. It is
        // aligned, because mappings start at a page (L24).
        Ok(unsafe { crate::raw::drm_rust_iosys_map_read_word(&self.map, offset) })
    }

    /// Writes the word at `offset` in one access. Hardware that reads it at the same time sees the
    /// old or the new word.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if the word is not aligned or lies beyond the object.
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
        // SAFETY: By the type invariants. The mapping is not used any more (L24).
        unsafe { bindings::drm_gem_vunmap(self.obj.as_raw(), &mut self.map) };
    }
}

// SAFETY: The mapping belongs to the kernel and is valid in every thread. The object is
// `Send + Sync` (L15).
unsafe impl<C: Class> Send for VMap<C> {}

// SAFETY: As for `Send`. Concurrent copies race as clients' accesses do, on plain memory, in C
// (L15).
unsafe impl<C: Class> Sync for VMap<C> {}
