// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! nova's ioctls.
//!
//! Source: `include/uapi/drm/nova_drm.h` (Linux 7.3).

use super::*;

structures! {
    NovaGetparam: Plain = "drm_nova_getparam" { param: u64, value: u64 }
    NovaGemCreate: Plain = "drm_nova_gem_create" { handle: u32, pad: u32, size: u64 }
    NovaGemInfo: Plain = "drm_nova_gem_info" { handle: u32, pad: u32, size: u64 }
}

requests! {
    NOVA_GETPARAM: NovaGetparam = RW, DRM, COMMAND_BASE, "DRM_IOCTL_NOVA_GETPARAM";
    NOVA_GEM_CREATE: NovaGemCreate = RW, DRM, COMMAND_BASE + 1, "DRM_IOCTL_NOVA_GEM_CREATE";
    NOVA_GEM_INFO: NovaGemInfo = RW, DRM, COMMAND_BASE + 2, "DRM_IOCTL_NOVA_GEM_INFO";
}

constants! {
    VRAM_BAR_SIZE: u64 = 1, "NOVA_GETPARAM_VRAM_BAR_SIZE";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_a_c_compiler_makes_of_the_header() {
        assert_eq!(NOVA_GETPARAM.number, 0xc010_6440);
        assert_eq!(NOVA_GEM_CREATE.number, 0xc010_6441);
        assert_eq!(NOVA_GEM_INFO.number, 0xc010_6442);
    }
}
