// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The reach of a device's DMA, set while the device probes, and its coherency.
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
    /// Sets the addresses that the device can reach: `mask` applies to streaming and coherent
    /// mappings.
    ///
    /// # Errors
    ///
    /// Fails with `EIO` if the platform cannot serve the mask, or if the device does no DMA, such
    /// as a child of another device. Fails with `EBUSY` once an interrupt was requested or a child
    /// was created. A handler or the child's driver might map memory at the same time, which the C
    /// API forbids. (For that reason the kernel crate's method is `unsafe`.)
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
        // SAFETY: The device is valid. No other code uses it. This is its probe, in which only this
        // thread maps objects. No interrupt was requested and no child was created. Work that the
        // probe has queued cannot enter a DRM device of this device, nor otherwise know that this
        // device is bound (L26).
        to_result(unsafe { bindings::dma_set_mask_and_coherent(self.raw_parent(), mask.value()) })
    }

    /// Sets the size in bytes of the largest segment that the device's DMA can handle.
    ///
    /// # Errors
    ///
    /// Fails with `EBUSY` once an interrupt was requested or a child was created, like
    /// [`set_dma_mask`](Self::set_dma_mask). Fails with `EIO` if the device's bus has no such
    /// limit, for example for a child of another device.
    pub fn set_max_segment(&self, bytes: u32) -> Result {
        if self.concurrent.get() {
            return Err(EBUSY);
        }
        // SAFETY: The device is valid. Its bus set the field before probe (L26).
        if unsafe { (*self.raw_parent()).dma_parms.is_null() } {
            return Err(EIO);
        }
        // SAFETY: As in `set_dma_mask` (L26).
        unsafe { bindings::dma_set_max_seg_size(self.raw_parent(), bytes) };
        Ok(())
    }

    /// Returns whether the device and the processors see each other's writes without cache
    /// maintenance. On some machines they do; on others caches must be written back and
    /// invalidated.
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
