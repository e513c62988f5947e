// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Everything that is made before a machine boots, each step once: from Debian's packages to modules and programs.
//!
//! ```text
//! apt      → verified packages                          root      → the toolchain root, and programs in it
//! kernels  → the supported kernels                      metadata  → one stock kernel, ready to build for
//! debug_kernel → the same source with checkers          setup     → all of these, as far as they are missing
//! modules  → our modules, compiled by Kbuild            kbuild    → the list of them
//! drivers  → the directories of drivers                 source_drivers → drivers of the kernel's source that it lacks
//! kmod     → modules as files                           module_tree → `/lib/modules` for clients
//! guestbin → programs for the guest                     compositor → the one on Smithay
//! firmware → the files that drivers load into hardware   client_root → the guest's root file system, of packages
//! ```

pub mod apt;
pub mod client_root;
pub mod compositor;
pub mod debug_kernel;
pub mod drivers;
pub mod firmware;
pub mod guestbin;
pub mod kbuild;
pub mod kernels;
pub mod kmod;
pub mod metadata;
pub mod module_tree;
pub mod modules;
pub mod root;
pub mod setup;
pub mod source_drivers;
