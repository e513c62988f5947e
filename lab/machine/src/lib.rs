// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The machine: image, QEMU, agent and console. It turns a toolchain root into a guest that answers.
//!
//! ```text
//! image  → the guest's file system                     qemu    → the command line
//! machine→ one running QEMU and its end                guest   → requests to the agent and their answers
//! gpu    → one emulated GPU beside it                  timeline→ its trace and the kernel's log, merged
//! console→ the kernel's log                            incident→ lines of that log that fail a run
//! place  → where in the kernel a guest hangs           monitor → requests to QEMU itself
//! model  → the emulated GPUs by name                   debugger→ gdb on the guest's kernel
//! display→ the screens as QEMU shows them              pixels  → a picture of a screen
//! scenario→ builds, boots, acts and judges
//! ```

mod accel;
mod archive;
pub mod console;
pub mod debugger;
pub(crate) mod display;
pub mod error;
pub mod gpu;
pub mod guest;
pub mod image;
pub mod incident;
pub mod kasan;
mod kcsan;
pub mod libraries;
pub mod lines;
mod machine;
pub mod model;
mod monitor;
pub mod pace;
pub mod payload;
pub mod pixels;
pub mod place;
pub mod qemu;
pub mod scenario;
pub mod symbols;
pub mod timeline;
