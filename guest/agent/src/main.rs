// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The first process of a guest: mounts the file systems that programs expect, then executes the lab's requests.
//!
//! Started again as another process, the same program becomes a client (`enter.rs`).
//!
//! The agent is linked statically and started by the kernel as `/init` from the initial RAM file system. It never returns: it
//! prints an error to the console, and ends the machine.
//!
//! Source: Documentation/admin-guide/initrd.rst and Documentation/filesystems/ramfs-rootfs-initramfs.rst.

#![forbid(unsafe_code)]

mod enter;
mod files;
mod flow;
mod modules;
mod mounts;
mod nodes;
mod outbox;
mod ports;
mod processes;
mod roots;
mod serial;
mod server;
mod shell;
mod tasks;

use std::{fs, process::ExitCode};

use drydock_agent::protocol;
use rustix::system::{RebootCommand, reboot};

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() == Some(protocol::ENTER_WORD) {
        return enter::run(words);
    }
    if std::process::id() != 1 {
        eprintln!("drydock-agent: this program is the first process of a guest and runs nowhere else");
        return ExitCode::FAILURE;
    }
    if let Err(error) = boot() {
        eprintln!("drydock-agent: {error}");
    }
    end()
}

fn boot() -> Result<(), String> {
    mounts::prepare()?;
    nodes::prepare()?;
    let words = fs::read_to_string("/proc/cmdline").map_err(|e| format!("/proc/cmdline: {e}"))?;
    let asked = |wanted| words.split_whitespace().any(|word| word == wanted);
    if asked(protocol::SHELL_WORD) {
        return shell::on_console();
    }
    server::serve(match asked(protocol::SERIAL_WORD) {
        true => serial::open(protocol::SERIAL_LINE)?,
        false => ports::open(protocol::AGENT_PORT)?,
    })
}

/// Ends the machine; returns only if the kernel refuses. It is a restart, which the lab makes QEMU treat as the end
/// (`-no-reboot`): after system sleep the firmware leaves q35 without the registers that would power it off.
fn end() -> ExitCode {
    rustix::fs::sync();
    match reboot(RebootCommand::Restart) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("drydock-agent: cannot end the machine: {error}");
            ExitCode::FAILURE
        }
    }
}
