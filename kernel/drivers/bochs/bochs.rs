// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! QEMU's `bochs-display`: a display with registers and memory of its own.
//!
//! The device shows what is in its memory, so the driver copies there what clients draw.
//!
//! Registers: docs/specs/standard-vga.rst of QEMU; behaviour: drivers/gpu/drm/tiny/bochs.c

#![forbid(unsafe_code)]

mod display;
mod driver;
mod hardware;

drm::module_pci_driver! {
    type: driver::Bochs,
    name: "bochs_rust",
    authors: ["The Drydock authors"],
    description: "QEMU's bochs-display",
    license: "Dual MIT/GPL",
}
