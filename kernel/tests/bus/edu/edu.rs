// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Test driver for `edu`, QEMU's educational device: registers, an interrupt, and DMA on the PCI
//! bus.
//!
//! One ioctl computes a factorial on the device and waits for its interrupt. Another lets the
//! device copy between its own memory and a buffer. Neither waits within a section of the unplug
//! guard.
//!
//! Source: docs/specs/edu.rst of QEMU

#![forbid(unsafe_code)]

mod driver;
mod hardware;
mod shared;
mod uapi;

drm::module_pci_driver! {
    type: driver::Edu,
    name: "edu_rust",
    authors: ["The Drydock authors"],
    description: "Test driver for QEMU's edu device",
    license: "Dual MIT/GPL",
}
