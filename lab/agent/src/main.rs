// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The first process of a guest: mounts what a program expects, then does what the lab asks.
//!
//! It is linked statically and started by the kernel as `/init` from the initial RAM file system. It
//! never returns; whatever fails is said on the console, and the machine is powered off.
//!
//! Source: Documentation/admin-guide/initrd.rst and Documentation/filesystems/ramfs-rootfs-initramfs.rst.

#![forbid(unsafe_code)]

mod files;
mod modules;
mod mounts;
mod ports;
mod processes;
mod server;
mod shell;

use std::{fs, process::ExitCode};

use drydock_agent::protocol;
use rustix::system::{RebootCommand, reboot};

fn main() -> ExitCode {
    if std::process::id() != 1 {
        eprintln!("drydock-agent: this program is the first process of a guest and runs nowhere else");
        return ExitCode::FAILURE;
    }
    if let Err(error) = boot() {
        eprintln!("drydock-agent: {error}");
    }
    power_off()
}

fn boot() -> Result<(), String> {
    mounts::prepare()?;
    let words = fs::read_to_string("/proc/cmdline").map_err(|e| format!("/proc/cmdline: {e}"))?;
    if words.split_whitespace().any(|word| word == protocol::SHELL_WORD) {
        return shell::on_console();
    }
    let port = ports::open(protocol::AGENT_PORT)?;
    server::serve(port)
}

/// Ends the machine; returns only if the kernel refuses.
fn power_off() -> ExitCode {
    rustix::fs::sync();
    match reboot(RebootCommand::PowerOff) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("drydock-agent: cannot power off: {error}");
            ExitCode::FAILURE
        }
    }
}
