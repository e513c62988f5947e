// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! vgem's ioctls.
//!
//! Source: `include/uapi/drm/vgem_drm.h` (Linux 7.3).

use super::*;

structures! {
    FenceAttach: Plain = "drm_vgem_fence_attach" { handle: u32, flags: u32, out_fence: u32, pad: u32 }
    FenceSignal: Plain = "drm_vgem_fence_signal" { fence: u32, flags: u32 }
}

requests! {
    VGEM_FENCE_ATTACH: FenceAttach = RW, DRM, COMMAND_BASE + 1, "DRM_IOCTL_VGEM_FENCE_ATTACH";
    VGEM_FENCE_SIGNAL: FenceSignal = DIR_WRITE, DRM, COMMAND_BASE + 2, "DRM_IOCTL_VGEM_FENCE_SIGNAL";
}

constants! {
    FENCE_WRITE: u32 = 1, "VGEM_FENCE_WRITE";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_a_c_compiler_makes_of_the_header() {
        assert_eq!(VGEM_FENCE_ATTACH.number, 0xc010_6441);
        assert_eq!(VGEM_FENCE_SIGNAL.number, 0x4008_6442);
    }
}
