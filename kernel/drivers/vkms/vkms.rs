// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A virtual display: mode setting without hardware, for compositors and their tests.
//!
//! The kernel has a C driver of this name, and the same tests run against both. This one shows
//! XRGB8888 and ARGB8888 only, without writeback, rotation, gamma, checksums of frames or configfs.
//! Unlike the C driver it is a platform driver, so its device can be unbound and bound through
//! sysfs.
//!
//! With the parameter `render_node=1` each device also offers what vgem offers: a render node, and
//! fences that a client attaches to a buffer and signals.
//!
//! Behaviour: drivers/gpu/drm/vkms, Documentation/gpu/vkms.rst

#![forbid(unsafe_code)]

mod capture;
#[path = "../vgem/client.rs"]
mod client;
mod config;
mod display;
mod driver;
mod edid;
mod uapi;

use driver::Vkms as ThisDriver;

drm::module_platform_driver! {
    virtual_devices: [c"vkms"; config::devices()?],
    type: driver::Vkms,
    name: "vkms_rust",
    authors: ["The Drydock authors"],
    description: "Virtual Kernel Mode Setting",
    license: "Dual MIT/GPL",
    params: {
        devices: u8 {
            default: 1,
            description: "Number of devices, 0 to 32",
        },
        outputs: u8 {
            default: 1,
            description: "Number of outputs of each device, 1 to 16",
        },
        enable_cursor: bool {
            default: true,
            description: "Whether each output has a cursor plane",
        },
        enable_overlay: u8 {
            default: 0,
            description: "Number of overlay planes of each output, 0 to 8",
        },
        render_node: bool {
            default: false,
            description: "Whether each device has a render node, and vgem's fences",
        },
    },
}
