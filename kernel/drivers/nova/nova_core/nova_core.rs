// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver of an NVIDIA GPU's PCI function. It identifies the GPU, waits until it is ready, owns
//! its registers, and creates the auxiliary device that `nova-drm` binds to. It is not a DRM driver
//! itself.
//!
//! The driver uses the names of Linux 7.3's own driver (drivers/gpu/nova-core), so that clients and scripts
//! find them. Source of the hardware's facts: `crates/nova-regs`.

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
