// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The parts that all of the lab uses. Nothing here knows of kernels, drivers or machines.
//!
//! ```text
//! error    → the lab's error                            exit      → the exit codes
//! events   → all that happens, and its readers          interrupt → Ctrl-C
//! process  → child processes                            cache     → all that is stored outside the checkout
//! repo     → the checkout                               unix_socket → sockets at long paths
//! holders  → the processes that hold a lock             near      → known names like a mistyped one
//! ```

pub mod cache;
pub mod error;
pub mod events;
pub mod exit;
mod holders;
pub mod interrupt;
pub mod near;
pub mod process;
pub mod repo;
pub mod unix_socket;
