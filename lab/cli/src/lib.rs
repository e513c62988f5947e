// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The command line of Drydock. This file lists the modules; `cli.rs` defines the commands.
//!
//! The lab is a library only for `fuzz/`, which feeds its parsers. The program is `main.rs`.

mod attach;
mod audit;
mod bench;
mod clean;
mod cli;
mod compile_fail;
mod demo;
mod doc;
mod doctor;
mod door;
mod drivers;
mod enter;
#[doc(hidden)]
pub mod foreign;
mod fuzz;
#[doc(hidden)]
pub mod host_fuzz;
mod ide;
mod model;
mod new;
mod report;
mod results;
mod run;
mod setup;
mod storm;
mod test;
mod verdict;

pub use cli::main;
