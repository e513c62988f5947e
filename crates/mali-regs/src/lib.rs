// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The registers of a Mali GPU with a command stream frontend (architecture 10, as the Mali-G610), defined once for the
//! driver and for the model of the GPU.
//!
//! Source of all facts: the drivers `panthor` and `tyr` of Linux 7.3 (`drivers/gpu/drm/panthor/panthor_*_regs.h`,
//! `drivers/gpu/drm/tyr/regs.rs`) and their uapi header `panthor_drm.h`.
//!
//! A register is a [`Register`]: its name, offset, width and access rights. Its value is either a type with named
//! fields ([`GpuId`], [`mmu::TransCfg`]), an enumeration ([`gpu::Command`]) or bits ([`irq::gpu`]).
//!
//! | word | meaning |
//! |---|---|
//! | AS | address space: one of the MMU's page-table roots |
//! | CSF | command stream frontend: how work reaches the GPU |
//! | CSG | command stream group: what the firmware schedules |
//! | GLB | the interface of the firmware as a whole |
//! | MCU | the microcontroller in the GPU that runs the firmware |
//!
//! Registers of 64 bits are two of 32 bits for the bus: low half first.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

#[macro_use]
mod fields;
#[macro_use]
mod register;

pub mod doorbell;
pub mod exception;
pub mod gpu;
pub mod id;
pub mod irq;
pub mod mcu;
pub mod mmu;
pub mod power;

pub use id::GpuId;
pub use register::{Access, Found, Register, Width, find};

/// Bytes of the register block.
pub const SIZE: usize = 0x20_0000;
