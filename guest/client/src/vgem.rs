// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Uses vgem's two own ioctls, which the `drm` crate does not know.
//!
//! Source: `include/uapi/drm/vgem_drm.h`.

use std::os::fd::AsFd;

use drm::buffer::Handle;
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Setter, Updater, ioctl, opcode};

/// `struct drm_vgem_fence_attach`
#[repr(C)]
struct FenceAttach {
    handle: u32,
    flags: u32,
    out_fence: u32,
    pad: u32,
}

/// `struct drm_vgem_fence_signal`
#[repr(C)]
struct FenceSignal {
    fence: u32,
    flags: u32,
}

/// `DRM_COMMAND_BASE`: the first number of a driver's own ioctls.
const COMMAND_BASE: u8 = 0x40;
const ATTACH: Opcode = opcode::read_write::<FenceAttach>(b'd', COMMAND_BASE + 1);
const SIGNAL: Opcode = opcode::write::<FenceSignal>(b'd', COMMAND_BASE + 2);
/// `VGEM_FENCE_WRITE`
const WRITE: u32 = 1;

/// Announces that the buffer is being written to. Returns the number of the fence.
pub(crate) fn attach_write_fence(card: impl AsFd, buffer: Handle) -> Result<u32, Errno> {
    let mut attach = FenceAttach { handle: buffer.into(), flags: WRITE, out_fence: 0, pad: 0 };
    // SAFETY: number and structure belong together, as in the header.
    unsafe { ioctl(card, Updater::<ATTACH, _>::new(&mut attach)) }?;
    Ok(attach.out_fence)
}

/// Announces that the writing is done.
pub(crate) fn signal_fence(card: impl AsFd, fence: u32) -> Result<(), Errno> {
    // SAFETY: number and structure belong together, as in the header.
    unsafe { ioctl(card, Setter::<SIGNAL, _>::new(FenceSignal { fence, flags: 0 })) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_header() {
        assert_eq!(ATTACH, 0xc010_6441);
        assert_eq!(SIGNAL, 0x4008_6442);
    }
}
