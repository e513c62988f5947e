// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The registers with which an NVIDIA GPU reports its identity and readiness, and the chips that it may be.
//!
//! Shared by the driver (`kernel/drivers/nova`) and the emulated GPU, so that they cannot disagree by a typo: the
//! driver reads a register with its getters, the model makes one with its constructor.
//!
//! Glossary: *PMC* master control, *GFW* the firmware that a GPU starts by itself after reset, *PGC6* the part of the
//! chip that stays powered in its deepest sleep, *VRAM* the memory on the card.
//!
//! Source of facts: Linux 7.3, `drivers/gpu/nova-core` (`regs.rs`, `gpu.rs`, `gpu/hal/tu102.rs`) and
//! Documentation/gpu/nova/core/devinit.rst; NVIDIA's open-gpu-doc for the time before Turing.

#![no_std]
#![forbid(unsafe_code)]

pub mod chip;
pub mod gpu;
pub mod regs;

pub use chip::{Architecture, Chip, Readiness};
pub use gpu::{Gpu, Words};

/// Identification numbers of the PCI function. Source: pci.ids, PCI Code and ID Assignment Specification 1.11.
pub mod pci {
    /// NVIDIA.
    pub const VENDOR: u16 = 0x10de;
    /// A GeForce RTX 3090, whose chip is GA102.
    pub const DEVICE_RTX_3090: u16 = 0x2204;
    /// The revision a1 of that card, as in `PMC_BOOT_0`.
    pub const REVISION_A1: u8 = 0xa1;
    /// Display controller, VGA compatible.
    pub const CLASS_VGA: u32 = 0x03_00_00;
    /// Display controller, 3D.
    pub const CLASS_3D: u32 = 0x03_02_00;
    /// The number of the registers' BAR, and its size in bytes.
    pub const REGISTERS: u32 = 0;
    /// See [`REGISTERS`].
    pub const REGISTERS_SIZE: usize = 16 << 20;
    /// The number of VRAM's BAR.
    pub const VRAM: u32 = 1;
}
