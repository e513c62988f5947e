// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Ioctls of the DRM core, which every driver with the feature has: dumb buffers, handles, PRIME, sync objects.
//!
//! Source: `guest/uapi`, which has them from the kernel's headers.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use uapi::sync::{AS_SYNC_FILE, SYNCOBJ_CREATE, SYNCOBJ_HANDLE_TO_FD, SyncobjCreate, SyncobjHandle};
use uapi::{
    CLOEXEC, CreateDumb, GEM_CLOSE, GemClose, MODE_CREATE_DUMB, MODE_MAP_DUMB, MapDumb, PRIME_FD_TO_HANDLE,
    PRIME_HANDLE_TO_FD, Prime, RDWR,
};

use crate::system::owned;
use crate::{Device, Errno, Memory};

impl Device {
    /// Creates a dumb buffer of `pages` pages and maps it. Returns its handle and its memory. Works on the primary node.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    pub fn dumb_buffer(&self, pages: u32) -> Result<(u32, Memory), Errno> {
        // A line of 1024 pixels of 32 bits is a page.
        let wanted = CreateDumb { height: pages, width: 1024, bpp: 32, ..CreateDumb::default() };
        let CreateDumb { handle, size, .. } = self.call(MODE_CREATE_DUMB, wanted)?;
        let MapDumb { offset, .. } = self.call(MODE_MAP_DUMB, MapDumb { handle, ..MapDumb::default() })?;
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
        let Prime { fd, .. } = self.call(PRIME_HANDLE_TO_FD, Prime { handle, flags: CLOEXEC | RDWR, fd: -1 })?;
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
        Ok(self.call(SYNCOBJ_CREATE, SyncobjCreate::default())?.handle)
    }

    /// Exports the fence in a sync object as a sync file, for [`wait`](crate::wait()).
    ///
    /// # Errors
    ///
    /// Returns the kernel's error: `EINVAL` if the sync object is empty.
    pub fn sync_file(&self, syncobj: u32) -> Result<OwnedFd, Errno> {
        let wanted = SyncobjHandle { handle: syncobj, flags: AS_SYNC_FILE, fd: -1, ..SyncobjHandle::default() };
        Ok(owned(self.call(SYNCOBJ_HANDLE_TO_FD, wanted)?.fd))
    }
}
