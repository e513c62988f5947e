// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A virtual display: mode setting without hardware, for compositors and their tests.
//!
//! The driver offers what the kernel's C driver of this name offers clients that show pictures.
//! Unlike the C driver it is a platform driver, so its device can be unbound and bound through
//! sysfs.
//!
//! Behaviour: drivers/gpu/drm/vkms, Documentation/gpu/vkms.rst

#![forbid(unsafe_code)]

mod display;
mod driver;

drm::module_platform_driver! {
    virtual_device: c"vkms",
    type: driver::Vkms,
    name: "vkms_rust",
    authors: ["The Drydock authors"],
    description: "Virtual Kernel Mode Setting",
    license: "Dual MIT/GPL",
}
