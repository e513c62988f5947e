// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Repeats the mistake of the review that started Drydock, on purpose: it allocates a device with
//! the size of the wrapper that owns it.
//!
//! `kernel/drm` exists to make this impossible, so this module does not use it. It calls C as the
//! reviewed patch did. Use it on the debug kernel, which reports the first write beyond the
//! allocation (`drydock demo oops`). On any other kernel the writes would go unnoticed.
//!
//! Source: `__drm_dev_alloc()` in drivers/gpu/drm/drm_drv.c.

use core::{
    alloc::Layout,
    mem::offset_of,
    ptr::NonNull, //
};
use kernel::{
    alloc::allocator::Kmalloc,
    bindings,
    device,
    error::from_err_ptr,
    faux,
    prelude::*,
    str::as_char_ptr_in_const_context,
    types::Opaque, //
};

module! {
    type: Oops,
    name: "oops",
    authors: ["The Drydock authors"],
    description: "Allocates a DRM device with the size of another type, on purpose",
    license: "Dual MIT/GPL",
}

/// The structure to allocate: C's device, and the driver's data beside it.
#[repr(C)]
struct Device {
    dev: Opaque<bindings::drm_device>,
    _data: u64,
}

/// A device that was never registered. It owns the device, so it is a pointer.
struct UnregisteredDevice(NonNull<Device>);

impl UnregisteredDevice {
    const DRIVER: bindings::drm_driver = bindings::drm_driver {
        name: as_char_ptr_in_const_context(c"oops").cast_mut(),
        desc: as_char_ptr_in_const_context(c"Allocated too small").cast_mut(),
        driver_features: bindings::drm_driver_feature_DRIVER_GEM,
        ..pin_init::zeroed()
    };

    fn new(parent: &device::Device<device::Bound>) -> Result<Self> {
        // This is the mistake. While this function was in `impl Device`, the line was right.
        let layout = Kmalloc::aligned_layout(Layout::new::<Self>());

        // SAFETY: Not at all (L2): C is passed a size for which the allocation is too small. The
        // module loads only on a kernel that reports that (`Oops::init`).
        let raw = unsafe {
            bindings::__drm_dev_alloc(
                core::ptr::from_ref(parent).cast_mut().cast(),
                &Self::DRIVER,
                layout.size(),
                offset_of!(Device, dev),
            )
        };
        Ok(Self(NonNull::new(from_err_ptr(raw)?.cast()).ok_or(ENOMEM)?))
    }
}

impl Drop for UnregisteredDevice {
    fn drop(&mut self) {
        // SAFETY: The pointer refers to a device whose first reference is ours. `dev` is its first
        // field (L21).
        unsafe { bindings::drm_dev_put(self.0.as_ptr().cast()) };
    }
}

struct Oops;

impl kernel::Module for Oops {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        if !cfg!(CONFIG_KASAN) {
            pr_err!("without KASAN nobody would see what this does\n");
            return Err(EOPNOTSUPP);
        }
        let registration = faux::Registration::new(c"oops", None)?;
        let parent: &faux::Device<device::Bound> = registration.as_ref();
        drop(UnregisteredDevice::new(parent.as_ref())?);
        Ok(Self)
    }
}
