// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The machine: image, QEMU, agent and console. It turns a toolchain root into a guest that answers.
//!
//! ```text
//! image  → the guest's file system                     qemu    → the command line
//! machine→ one running QEMU and its end                guest   → requests to the agent and their answers
//! gpu    → one emulated GPU beside it                  timeline→ its trace and the kernel's log, merged
//! console→ the kernel's log                            incident→ lines of that log that fail a run
//! place  → where in the kernel a guest hangs           monitor → requests to QEMU itself
//! ```

pub(crate) mod accel;
pub(crate) mod archive;
pub(crate) mod console;
pub(crate) mod error;
pub(crate) mod gpu;
pub(crate) mod guest;
pub(crate) mod image;
pub(crate) mod incident;
pub(crate) mod kasan;
pub(crate) mod kcsan;
pub(crate) mod kmod;
pub(crate) mod libraries;
pub(crate) mod lines;
pub(crate) mod machine;
pub(crate) mod monitor;
pub(crate) mod pace;
pub(crate) mod payload;
pub(crate) mod place;
pub(crate) mod qemu;
pub(crate) mod symbols;
pub(crate) mod terminal;
pub(crate) mod timeline;
