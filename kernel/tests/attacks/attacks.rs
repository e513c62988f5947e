// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver that tries to break `kernel/drm` with safe code: the attacks of docs/explain/attacks.md.
//!
//! The driver serves the two devices of `lifecycle_devices` (by driver_override) and QEMU's `edu`. A test
//! requests an attack by ioctl, and compares the kernel's answer with what must hold. Callbacks log
//! their answers to the kernel log.

#![forbid(unsafe_code)]

mod buffer;
mod children;
mod client;
mod driver;
mod fences;
mod kept;
mod objects;
mod space;
mod trap;
#[path = "../uapi.rs"]
mod uapi;

drm::module_driver! {
    buses: [auxiliary, pci, platform],
    type: driver::Attacked,
    name: "attacks",
    authors: ["The Drydock authors"],
    description: "Attacks on the DRM layer by safe code",
    license: "Dual MIT/GPL",
}
