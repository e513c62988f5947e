// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver for Arm's Mali GPUs with a command stream frontend (architecture 10, as the Mali-G610).
//!
//! The driver resets the GPU, and loads and boots its firmware with a device that userspace cannot
//! see yet. Only then is the device registered. It reports itself as Linux's C driver `panthor`
//! does and implements its uapi, `panthor_drm.h`; docs/explain/tyr.md says how much of it.
//!
//! Source: `crates/mali-regs`, `crates/mali-mmu`, `crates/csf-fw`, `crates/csf-iface`;
//! drivers/gpu/drm/panthor for the behaviour that clients rely on.

#![forbid(unsafe_code)]

mod buffer;
mod client;
mod driver;
mod hw;
mod ioctl;
mod pci;
mod platform;
mod uapi;
mod uobj;
mod vm;

drm::module_driver! {
    buses: [pci, platform],
    type: driver::Tyr,
    name: "tyr",
    authors: ["The Drydock authors"],
    description: "Arm Mali GPUs with a command stream frontend",
    license: "Dual MIT/GPL",
    firmware: ["arm/mali/arch10.8/mali_csffw.bin"],
}
