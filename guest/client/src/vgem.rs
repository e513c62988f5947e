// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Uses vgem's two own ioctls, which the `drm` crate does not know.
//!
//! Source: `include/uapi/drm/vgem_drm.h`.

use std::os::fd::AsFd;

use drm::buffer::Handle;
use rustix::io::Errno;
use rustix::ioctl::{Setter, Updater, ioctl};
use uapi::{FENCE_WRITE, FenceAttach, FenceSignal, VGEM_FENCE_ATTACH, VGEM_FENCE_SIGNAL};

/// Announces that the buffer is being written to. Returns the number of the fence.
pub(crate) fn attach_write_fence(card: impl AsFd, buffer: Handle) -> Result<u32, Errno> {
    let mut attach = FenceAttach { handle: buffer.into(), flags: FENCE_WRITE, out_fence: 0, pad: 0 };
    // SAFETY: number and structure belong together, as in the header.
    unsafe { ioctl(card, Updater::<{ VGEM_FENCE_ATTACH.number }, _>::new(&mut attach)) }?;
    Ok(attach.out_fence)
}

/// Announces that the writing is done.
pub(crate) fn signal_fence(card: impl AsFd, fence: u32) -> Result<(), Errno> {
    // SAFETY: number and structure belong together, as in the header.
    unsafe { ioctl(card, Setter::<{ VGEM_FENCE_SIGNAL.number }, _>::new(FenceSignal { fence, flags: 0 })) }
}
