// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The command line of Drydock. This file lists the modules; `cli.rs` defines the commands.
//!
//! The lab is a library only for `fuzz/`, which feeds its parsers. The program is `main.rs`.

mod apt;
mod audit;
mod bench;
mod cache;
mod clean;
mod cli;
mod debug_kernel;
mod demo;
mod doc;
mod doctor;
mod drivers;
mod error;
mod events;
mod exit;
mod firmware;
#[doc(hidden)]
pub mod foreign;
mod fuzz;
mod guestbin;
#[doc(hidden)]
pub mod host_fuzz;
mod ide;
mod interrupt;
mod kernels;
mod metadata;
mod model;
mod modules;
mod near;
mod new;
mod process;
mod repo;
mod report;
mod root;
mod run;
mod scenario;
mod setup;
mod storm;
mod test;
mod unix_socket;
mod vm;

pub use cli::main;
