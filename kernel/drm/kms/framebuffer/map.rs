// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Mappings of framebuffers into the kernel's address space, to read pixels.
//!
//! C headers: `include/drm/drm_gem_framebuffer_helper.h`, `include/linux/iosys-map.h`

use super::{
    maps::{
        Mapped,
        Memory, //
    },
    Counted,
    Driver,
    Framebuffer, //
};
use crate::{
    gem::Class,
    module::ModuleRuntime,
    raw,
    Device,
    Init, //
};
use core::mem::ManuallyDrop;
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::Arc, //
};

/// A mapping of a framebuffer's memory. It keeps the framebuffer, until the device's registration
/// ends: that unmaps what is left, so that nothing keeps the device (K41).
///
/// The mapping can be dropped in any context: in a hook on the way to signalling a fence, or in an
/// interrupt. Unmapping takes locks of the buffers, so it is done later, in the module's workqueue
/// (K30).
///
/// # Examples
///
/// ```
/// fn first_pixel(framebuffer: &Framebuffer<Display>) -> Result<[u8; 4]> {
///     let map = framebuffer.map()?;
///     let mut pixel = [0; 4];
///     map.read(|pixels| pixels.row(0, 0, 0, &mut pixel))??;
///     Ok(pixel)
/// }
/// ```
pub struct Map<T: Driver>(ManuallyDrop<Arc<Mapped<T>>>);

/// The number of planes of memory that a format has at most (`DRM_FORMAT_MAX_PLANES`).
pub(super) const PLANES: usize = 4;

impl<T: Driver> Framebuffer<T> {
    /// Maps the framebuffer's memory.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, with the errors of [`Class::vmap`], and with `ENODEV` once the device's
    /// registration has ended.
    ///
    /// Context: process context, may sleep; takes the reservation locks of the buffers.
    pub fn map(&self) -> Result<Map<T>> {
        let mut planes = [const { None }; PLANES];
        // SAFETY: The framebuffer is initialised, and the field does not change after that (K23).
        let objects = unsafe { (*self.as_raw()).obj };
        for (plane, object) in planes.iter_mut().zip(objects) {
            if !object.is_null() {
                // SAFETY: The framebuffer holds a reference to its object, which is of the driver's
                // class (K23).
                *plane = Some(unsafe { T::Object::from_raw(object) }.vmap()?);
            }
        }
        // SAFETY: A framebuffer keeps its device, by way of its objects. A client made it, so the
        // device is in `Init` (K23, L27).
        let dev = unsafe { Device::<T, Init>::from_raw((*self.as_raw()).dev) };
        let memory = Memory {
            planes,
            framebuffer: Counted::new(self),
        };
        let maps = dev.core().kms.maps.as_ref().ok_or(ENODEV)?;
        Ok(Map(ManuallyDrop::new(maps.add(memory)?)))
    }
}

impl<T: Driver> Map<T> {
    /// Lets `f` read pixels. The exporter of a buffer of another device learns of the access.
    ///
    /// Fences on such a buffer are not waited for. The commit that shows the framebuffer has waited for
    /// those that came before it, and the fence of a later access may be signalled only after the hook
    /// that reads (K33).
    ///
    /// # Errors
    ///
    /// Fails with an error of a buffer's exporter, and with `ENODEV` once the device's registration
    /// has ended; `f` does not run then.
    ///
    /// Context: process context, may sleep. For a buffer of another device, the exporter decides
    /// how long the access waits. The end of the registration waits for `f`.
    pub fn read<R>(&self, f: impl FnOnce(&Pixels<'_, T>) -> R) -> Result<R> {
        self.0.read(|memory| memory.read(f)).unwrap_or(Err(ENODEV))
    }
}

impl<T: Driver> Memory<T> {
    fn read<R>(&self, f: impl FnOnce(&Pixels<'_, T>) -> R) -> Result<R> {
        let framebuffer = self.framebuffer.as_raw();
        let direction = bindings::dma_data_direction::DMA_FROM_DEVICE;
        // SAFETY: The mapping keeps the framebuffer (K24).
        to_result(unsafe { raw::drm_rust_fb_begin_cpu_access(framebuffer, direction) })?;
        let result = f(&Pixels(self));
        // SAFETY: As above; it was begun (K24).
        unsafe { raw::drm_rust_fb_end_cpu_access(framebuffer, direction) };
        Ok(result)
    }
}

impl<T: Driver> Drop for Map<T> {
    fn drop(&mut self) {
        // SAFETY: The value is not used again (K30).
        let mapped = unsafe { ManuallyDrop::take(&mut self.0) };
        // Once the module's exit has begun there is no queue. All registrations have ended then, so the
        // memory is unmapped, and this drops a reference.
        let _ = T::OwnerModule::runtime().enqueue(mapped);
    }
}

/// The pixels of a framebuffer, while its memory may be read.
///
/// Clients write at the same time, so there are no references to the memory: pixels are copied.
pub struct Pixels<'a, T: Driver>(&'a Memory<T>);

impl<T: Driver> Pixels<'_, T> {
    /// Returns the framebuffer.
    pub fn framebuffer(&self) -> &Framebuffer<T> {
        &self.0.framebuffer
    }

    /// Copies pixels of one row into `to`: as many as fit, from column `x` of row `y` of a plane of
    /// memory (0 for formats with one).
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if the pixels are not all in that row and that plane, if `to` does not
    /// end with a whole pixel, or for formats whose pixels share bytes. Nothing is copied then.
    ///
    /// Context: any.
    pub fn row(&self, plane: usize, x: u32, y: u32, to: &mut [u8]) -> Result {
        let framebuffer = self.0.framebuffer.as_raw();
        // SAFETY: The framebuffer is initialised, and the fields that are read here do not change
        // after that. C's table of formats is a constant (K23).
        let (format, pitches, offsets) = unsafe {
            (
                &*(*framebuffer).format,
                (*framebuffer).pitches,
                (*framebuffer).offsets,
            )
        };
        if plane >= usize::from(format.num_planes) {
            return Err(EINVAL);
        }
        let whole = format.block_w[plane] <= 1 && format.block_h[plane] <= 1;
        let (across, down) = match plane {
            0 => (1, 1),
            _ => (u32::from(format.hsub), u32::from(format.vsub)),
        };
        // SAFETY: C checks the number of the plane, and only reads the format (K24).
        let bits = unsafe { raw::drm_format_info_bpp(format, plane as c_int) } as usize;
        let bytes = bits / 8;
        let whole = whole && bits % 8 == 0;
        if !whole || bytes == 0 || to.len() % bytes != 0 {
            return Err(EINVAL);
        }
        let framebuffer = &self.0.framebuffer;
        let (width, height) = (framebuffer.width() / across, framebuffer.height() / down);
        let end = u64::from(x) + (to.len() / bytes) as u64;
        if y >= height || end > u64::from(width) {
            return Err(EINVAL);
        }
        let offset =
            offsets[plane] as usize + y as usize * pitches[plane] as usize + x as usize * bytes;
        let map = self.0.planes[plane].as_ref().ok_or(EINVAL)?;
        // This checks against the end of the object.
        map.read(offset, to)
    }
}
