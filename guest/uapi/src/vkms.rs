// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The ioctl of our vkms beside those of every display.
//!
//! Source: `kernel/drivers/vkms/vkms_drm.h`.

use super::*;

structures! {
    VkmsScreen: Plain = "drm_vkms_screen" { output: u32, handle: u32, pitch: u32, width: u32, height: u32, pad: u32 }
}

requests! {
    VKMS_SCREEN: VkmsScreen = RW, DRM, COMMAND_BASE, "DRM_IOCTL_VKMS_SCREEN";
}
