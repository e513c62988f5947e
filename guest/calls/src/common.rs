// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Ioctls of the DRM core, which every driver with the feature has: dumb buffers, handles, PRIME, sync objects.
//!
//! Source: `include/uapi/drm/drm.h`, `drm_mode.h`.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::system::owned;
use crate::{Device, Errno, Ioctl, Memory};

crate::argument! {
    struct CreateDumb { height: u32, width: u32, bits: u32, flags: u32, handle: u32, pitch: u32, size: u64 }
}
crate::argument! {
    struct MapDumb { handle: u32, pad: u32, offset: u64 }
}
crate::argument! {
    struct GemClose { handle: u32, pad: u32 }
}
crate::argument! {
    struct Prime { handle: u32, flags: u32, fd: i32 }
}
crate::argument! {
    struct CreateSyncobj { handle: u32, flags: u32 }
}
crate::argument! {
    struct SyncobjFd { handle: u32, flags: u32, fd: i32, pad: u32 }
}

const GEM_CLOSE: Ioctl<GemClose> = Ioctl::core_iow(0x09);
const PRIME_HANDLE_TO_FD: Ioctl<Prime> = Ioctl::core_iowr(0x2d);
const PRIME_FD_TO_HANDLE: Ioctl<Prime> = Ioctl::core_iowr(0x2e);
const CREATE_DUMB: Ioctl<CreateDumb> = Ioctl::core_iowr(0xb2);
const MAP_DUMB: Ioctl<MapDumb> = Ioctl::core_iowr(0xb3);
const SYNCOBJ_CREATE: Ioctl<CreateSyncobj> = Ioctl::core_iowr(0xbf);
const SYNCOBJ_HANDLE_TO_FD: Ioctl<SyncobjFd> = Ioctl::core_iowr(0xc1);

/// `DRM_CLOEXEC | DRM_RDWR`
const SHARED: u32 = 0o2_000_000 | 0o2;
/// `DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE`
const SYNC_FILE: u32 = 1;

impl Device {
    /// Creates a dumb buffer of `pages` pages and maps it. Returns its handle and its memory. Works on the primary node.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    pub fn dumb_buffer(&self, pages: u32) -> Result<(u32, Memory), Errno> {
        // A line of 1024 pixels of 32 bits is a page.
        let wanted = CreateDumb { height: pages, width: 1024, bits: 32, ..CreateDumb::default() };
        let CreateDumb { handle, size, .. } = self.call(CREATE_DUMB, wanted)?;
        let MapDumb { offset, .. } = self.call(MAP_DUMB, MapDumb { handle, ..MapDumb::default() })?;
        Ok((handle, self.map(offset, usize::try_from(size).expect("addresses have 64 bits"))))
    }

    /// Closes a handle of a buffer. The buffer stays while others use it.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error: `EINVAL` if there is no such handle.
    pub fn close_handle(&self, handle: u32) -> Result<(), Errno> {
        self.call(GEM_CLOSE, GemClose { handle, pad: 0 }).map(drop)
    }

    /// Exports a buffer as a dma-buf, which can be passed to another process.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    pub fn export(&self, handle: u32) -> Result<OwnedFd, Errno> {
        let Prime { fd, .. } = self.call(PRIME_HANDLE_TO_FD, Prime { handle, flags: SHARED, fd: -1 })?;
        Ok(owned(fd))
    }

    /// Imports a dma-buf. Returns the handle that the buffer has for this client.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    pub fn import(&self, buffer: &impl AsFd) -> Result<u32, Errno> {
        let fd = buffer.as_fd().as_raw_fd();
        Ok(self.call(PRIME_FD_TO_HANDLE, Prime { handle: 0, flags: 0, fd })?.handle)
    }

    /// Creates an empty sync object. Returns its handle.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error: `EOPNOTSUPP` if the driver does not have the feature.
    pub fn syncobj(&self) -> Result<u32, Errno> {
        Ok(self.call(SYNCOBJ_CREATE, CreateSyncobj::default())?.handle)
    }

    /// Exports the fence in a sync object as a sync file, for [`wait`](crate::wait()).
    ///
    /// # Errors
    ///
    /// Returns the kernel's error: `EINVAL` if the sync object is empty.
    pub fn sync_file(&self, syncobj: u32) -> Result<OwnedFd, Errno> {
        let wanted = SyncobjFd { handle: syncobj, flags: SYNC_FILE, fd: -1, pad: 0 };
        Ok(owned(self.call(SYNCOBJ_HANDLE_TO_FD, wanted)?.fd))
    }
}
