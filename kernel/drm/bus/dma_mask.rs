// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The DMA mask of a device, set while it probes.
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
    /// `EIO` if the platform cannot serve the mask. `EBUSY` once an interrupt was requested: handlers might map memory at the
    /// same time, which the C API forbids (the reason why the kernel crate's method is `unsafe`).
    ///
    /// Context: process context.
    pub fn set_dma_mask(&self, mask: DmaMask) -> Result {
        if self.concurrent.get() {
            return Err(EBUSY);
        }
        // SAFETY: The device is valid. No other code of the driver runs: this is its probe, and no
        // interrupt has been requested.
        to_result(unsafe { bindings::dma_set_mask_and_coherent(self.raw_parent(), mask.value()) })
    }

    /// Sets the largest segment, in bytes, that the device's DMA can take.
    ///
    /// # Errors
    ///
    /// `EBUSY` once an interrupt was requested, as [`set_dma_mask`](Self::set_dma_mask).
    pub fn set_max_segment(&self, bytes: u32) -> Result {
        if self.concurrent.get() {
            return Err(EBUSY);
        }
        // SAFETY: As above.
        unsafe { bindings::dma_set_max_seg_size(self.raw_parent(), bytes) };
        Ok(())
    }

    fn raw_parent(&self) -> *mut bindings::device {
        // CAST: `device::Device` is a transparent wrapper of `struct device`.
        core::ptr::from_ref(self.parent()).cast_mut().cast()
    }
}
