// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Emulated GPUs: PCI devices that a virtual machine monitor shows to its guest, served over vfio-user.
//!
//! A GPU is a [`Gpu`]: the description of its PCI function, and the behaviour of its registers. Everything else is this
//! crate's base:
//!
//! ```text
//! gpu        the interface of a model: the trait, its PCI function, one access
//! bus        the model's actions: interrupts, memory of the guest, time, violations
//! device     a model with its configuration space and faults, behind one lock; no sockets
//! config     PCI configuration space            memory     the guest's memory, by address
//! interrupts MSI and MSI-X vectors              fault      faults on request, and when
//! event      events, with their times           command    commands while it runs
//! server     vfio-user, the clock and the control socket around a device
//! mali       an Arm Mali GPU
//! nova       an NVIDIA GPU
//! ```
//!
//! A model checks a driver's actions, as hardware would, and reports as a *violation* what hardware would only hang on.
//! No input of a guest or a client makes it panic. While it is idle it uses no processor time.
//!
//! Source: the vfio-user specification (QEMU, `docs/interop/vfio-user.rst`), PCI Local Bus Specification 3.0.

#![deny(unsafe_code)]

pub mod bus;
pub mod command;
pub mod config;
pub mod device;
pub mod event;
pub mod fault;
pub mod gpu;
pub mod interrupts;
pub mod mali;
pub mod memory;
pub mod nova;
pub mod server;

pub use bus::Bus;
pub use device::Device;
pub use event::{Event, What};
pub use gpu::{Access, Bar, Function, Gpu, Interrupts, Width};
