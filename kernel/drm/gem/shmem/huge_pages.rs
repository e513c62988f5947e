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
    /// Has the pages of objects that are made from now on lie together where they can: in huge pages, for objects that are
    /// at least as large, if the system has such to give (`huge=within_size` of tmpfs).
    ///
    /// # Errors
    ///
    /// `EBUSY` if the device is shared: an object of it was made, or somebody else has a reference; or if this was called before.
    /// `EOPNOTSUPP` if the system has no huge pages, `ENOMEM`. Objects can be made all the same.
    ///
    /// Context: process context, may sleep. Source: `struct drm_device::huge_mnt`, Documentation/admin-guide/mm/transhuge.rst.
    pub fn use_huge_pages(&self) -> Result {
        // Anyone else with a reference may be making objects, and C looks for the mount without a lock. Two references
        // are there from `UnregisteredDevice::new` on: ours and the adapter's, which makes no objects.
        // SAFETY: The device is valid (L21).
        if !unsafe { crate::raw::drm_rust_device_is_unshared(self.as_raw(), 2) } {
            return Err(EBUSY);
        }
        // Once: a device has one mount.
        if self.core().huge_pages.swap(true, Ordering::Relaxed) {
            return Err(EBUSY);
        }
        self.mount_huge_pages()
    }

    /// A kernel without huge pages has no field for the mount.
    #[cfg(not(CONFIG_TRANSPARENT_HUGEPAGE))]
    fn mount_huge_pages(&self) -> Result {
        Err(EOPNOTSUPP)
    }

    #[cfg(CONFIG_TRANSPARENT_HUGEPAGE)]
    fn mount_huge_pages(&self) -> Result {
        // SAFETY: The device is valid. As the caller saw, nobody but us and the adapter has a reference; ours stays in this
        // thread, so no object is being made. The mount goes when the device is released, after all its objects (L11, L15).
        to_result(unsafe { crate::raw::drm_rust_mount_huge_pages(self.as_raw()) })
    }
}
