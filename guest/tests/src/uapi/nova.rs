// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The nova part of the user interface.
//!
//! Source: `include/uapi/drm/nova_drm.h` (Linux 7.3).

use super::*;

plain! {
    /// `struct drm_nova_getparam`
    NovaGetparam { param: u64, value: u64 }
    /// `struct drm_nova_gem_create`
    NovaGemCreate { handle: u32, pad: u32, size: u64 }
    /// `struct drm_nova_gem_info`
    NovaGemInfo { handle: u32, pad: u32, size: u64 }
}

requests! {
    NOVA_GETPARAM: NovaGetparam = RW, DRM, COMMAND_BASE;
    NOVA_GEM_CREATE: NovaGemCreate = RW, DRM, COMMAND_BASE + 1;
    NOVA_GEM_INFO: NovaGemInfo = RW, DRM, COMMAND_BASE + 2;
}

/// `NOVA_GETPARAM_VRAM_BAR_SIZE`
pub(crate) const VRAM_BAR_SIZE: u64 = 1;

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
