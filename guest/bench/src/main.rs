// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Measures the cost of DRM system calls, in a guest whose clock counts instructions.
//!
//! `drydock-bench load FILE.ko` loads a module and measures that. `drydock-bench rows DRIVER` measures the rows of the
//! driver (`vgem`, `noop_rust`, `noop_c`, `tyr`, `vkms`), whose node must exist. Each result is one line of JSON on standard
//! output. `drydock-bench hold pages` (or `blocks`) maps a GiB with tyr and waits.
//!
//! QEMU is started with `-icount shift=0`: one instruction is one nanosecond of the guest's clock.

mod display;
mod measure;
mod node;
mod rows;
mod tyr;
mod vkms;

use std::path::Path;
use std::process::ExitCode;

fn run(arguments: &[String]) -> std::io::Result<()> {
    match arguments {
        [command, file] if command == "load" => measure::load(Path::new(file)),
        [command, driver] if command == "rows" && driver == "tyr" => tyr::all(),
        [command, driver] if command == "rows" && driver == vkms::DRIVER => vkms::all(),
        [command, driver] if command == "rows" => rows::all(driver),
        [command, how] if command == "hold" => tyr::hold(how),
        _ => Err(std::io::Error::other("usage: drydock-bench load FILE.ko | rows DRIVER | hold pages|blocks")),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("drydock-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
