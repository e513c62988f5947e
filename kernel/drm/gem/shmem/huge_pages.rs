// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Huge pages for the objects of a device.
//!
//! C header: `include/drm/drm_device.h` (`drm_device::huge_mnt`)

use crate::{
    Driver,
    UnregisteredDevice, //
};
use core::sync::atomic::Ordering;
#[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
use kernel::error::to_result;
use kernel::prelude::*;

impl<T: Driver> UnregisteredDevice<'_, T> {
    /// Makes objects that are created from now on use huge pages, if they are at least that large
    /// and the system can allocate any (`huge=within_size` of tmpfs).
    ///
    /// # Errors
    ///
    /// Fails with `EBUSY` if the device is shared (an object of it exists, or other code holds a
    /// reference), or if this was called before. Fails with `EOPNOTSUPP` if the system has no huge
    /// pages, and with `ENOMEM`. Objects can still be created after an error.
    ///
    /// Context: process context, may sleep. Source: `struct drm_device::huge_mnt`, Documentation/admin-guide/mm/transhuge.rst.
    pub fn use_huge_pages(&self) -> Result {
        // Any other holder of a reference may be creating objects, and C reads the mount without a
        // lock. Two references exist from `UnregisteredDevice::new` on: ours and the adapter's, and
        // the adapter creates no objects.
        // SAFETY: The device is valid (L21).
        if !unsafe { crate::raw::drm_rust_device_is_unshared(self.as_raw(), 2) } {
            return Err(EBUSY);
        }
        // Only once: a device has one mount.
        if self.core().huge_pages.swap(true, Ordering::Relaxed) {
            return Err(EBUSY);
        }
        self.mount_huge_pages()
    }

    /// Fails with `EOPNOTSUPP`: a kernel without huge pages has no field for the mount.
    #[cfg(not(CONFIG_TRANSPARENT_HUGEPAGE))]
    fn mount_huge_pages(&self) -> Result {
        Err(EOPNOTSUPP)
    }

    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    fn mount_huge_pages(&self) -> Result {
        // SAFETY: The device is valid. As the caller checked, only this thread and the adapter hold
        // references. Ours stays in this thread, so no object is being created. The mount is
        // dropped when the device is released, after all its objects (L11, L15).
        to_result(unsafe { crate::raw::drm_rust_mount_huge_pages(self.as_raw()) })
    }
}
