// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver of an NVIDIA GPU's PCI function: it identifies the GPU, waits until it is ready, owns its registers, and makes
//! the auxiliary device to which `nova-drm` binds. It is no DRM driver itself.
//!
//! Under the names that Linux 7.3's own driver has (drivers/gpu/nova-core), so that clients and scripts find the same.
//! Source of the hardware's facts: `crates/nova-regs`.

#![forbid(unsafe_code)]

mod driver;
mod hardware;

drm::module_pci_driver! {
    parent: driver::NovaCore,
    name: "nova-core",
    authors: ["The Drydock authors"],
    description: "Nova: an NVIDIA GPU's PCI function",
    license: "Dual MIT/GPL",
}
