// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What every part of the lab uses. Nothing here knows of kernels, drivers or machines.
//!
//! ```text
//! error    → the lab's error                            exit      → the exit codes
//! events   → what happens, and who shows it             interrupt → Ctrl-C
//! process  → child processes                            cache     → what is stored outside the checkout
//! repo     → the checkout                               unix_socket → sockets at long paths
//! holders  → who holds a lock that we wait for
//! ```

pub mod cache;
pub mod error;
pub mod events;
pub mod exit;
mod holders;
pub mod interrupt;
pub mod process;
pub mod repo;
pub mod unix_socket;
