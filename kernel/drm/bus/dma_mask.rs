// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What a device's DMA can reach, said while it probes, and whether it is coherent.
//!
//! Source: Documentation/core-api/dma-api-howto.rst, `include/linux/dma-mapping.h`.

use super::{
    Bus,
    Probe, //
};
use kernel::{
    bindings,
    dma::DmaMask,
    error::to_result,
    prelude::*, //
};

impl<B: Bus> Probe<'_, B> {
    /// Says which addresses the device can reach: `mask` for streaming and coherent mappings.
    ///
    /// # Errors
    ///
    /// `EIO` if the platform cannot serve the mask, or the device does no DMA (a child of another
    /// device, say). `EBUSY` once an interrupt was requested or a child was made: a handler, or the child's driver, might
    /// map memory at the same time, which the C API forbids (the reason why the kernel crate's method
    /// is `unsafe`).
    ///
    /// Context: process context.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn example(cx: &platform::Probe<'_>) -> Result {
    /// cx.set_dma_mask(kernel::dma::DmaMask::new::<40>())
    /// # }
    /// ```
    pub fn set_dma_mask(&self, mask: DmaMask) -> Result {
        if self.concurrent.get() {
            return Err(EBUSY);
        }
        // SAFETY: The device is valid. No other code uses it: this is its probe, which objects are mapped by in this thread
        // only, no interrupt has been requested, no child has been made, and work that the probe has queued cannot enter a DRM
        // device of it, nor otherwise know that it is bound (L26).
        to_result(unsafe { bindings::dma_set_mask_and_coherent(self.raw_parent(), mask.value()) })
    }

    /// Sets the largest segment, in bytes, that the device's DMA can take.
    ///
    /// # Errors
    ///
    /// `EBUSY` once an interrupt was requested, as [`set_dma_mask`](Self::set_dma_mask); `EIO` if the
    /// device's bus knows no such limit (a child of another device, say).
    pub fn set_max_segment(&self, bytes: u32) -> Result {
        if self.concurrent.get() {
            return Err(EBUSY);
        }
        // SAFETY: The device is valid; its bus has set the field before probe (L26).
        if unsafe { (*self.raw_parent()).dma_parms.is_null() } {
            return Err(EIO);
        }
        // SAFETY: As in `set_dma_mask` (L26).
        unsafe { bindings::dma_set_max_seg_size(self.raw_parent(), bytes) };
        Ok(())
    }

    /// Whether the device sees what the processors have in their caches, and they what it writes: on some machines it
    /// does, on others caches must be written back and forgotten.
    ///
    /// Context: any.
    pub fn is_dma_coherent(&self) -> bool {
        // SAFETY: The device is valid (L26).
        unsafe { crate::raw::drm_rust_dma_is_coherent(self.raw_parent()) }
    }

    fn raw_parent(&self) -> *mut bindings::device {
        // CAST: `device::Device` is a transparent wrapper of `struct device`.
        core::ptr::from_ref(self.parent()).cast_mut().cast()
    }
}
