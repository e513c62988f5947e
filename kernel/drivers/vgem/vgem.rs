// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A virtual GEM provider: buffers and fences without a GPU, for clients and tests.
//!
//! The driver offers the same as the kernel's C driver of this name: dumb buffers, mapping, PRIME
//! both ways, and fences that a client attaches to a buffer and signals. Unlike the C driver it is a
//! platform driver, so its device can be unbound and bound through sysfs.
//!
//! uapi: `include/uapi/drm/vgem_drm.h`; behaviour: drivers/gpu/drm/vgem

#![forbid(unsafe_code)]

mod buffer;
mod client;
mod driver;
mod uapi;

use driver::Vgem as ThisDriver;

drm::module_platform_driver! {
    virtual_device: c"vgem",
    type: driver::Vgem,
    name: "vgem_rust",
    authors: ["The Drydock authors"],
    description: "Virtual GEM provider",
    license: "Dual MIT/GPL",
}
