// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock enter`, and the hidden command by which the lab starts itself to run a program inside a root.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use drydock_base::error::Result;
use drydock_base::events::Events;
use drydock_base::{exit, process};
use drydock_toolchain::root::{Binds, EnterSpec};
use drydock_toolchain::setup;

/// Run a program inside the toolchain root (a shell if none is named)
#[derive(Debug, Args)]
pub struct Options {
    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    program: Vec<String>,
}

/// The options of `drydock enter-root`.
#[derive(Debug, Args)]
pub struct RootOptions {
    /// The root directory
    #[arg(long)]
    root: PathBuf,
    /// Let the program write to the root itself
    #[arg(long)]
    writable: bool,
    /// HOST:INSIDE, read-only
    #[arg(long)]
    read: Vec<String>,
    /// HOST:INSIDE, writable
    #[arg(long)]
    write: Vec<String>,
    /// The program and its arguments
    #[arg(last = true)]
    program: Vec<OsString>,
}

impl From<RootOptions> for EnterSpec {
    fn from(RootOptions { root, writable, read, write, program }: RootOptions) -> Self {
        Self { root, writable, read, write, program }
    }
}

/// Runs `drydock enter`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let toolchain = setup::ensure(events)?;
    let (name, args) = match options.program.split_first() {
        Some((name, args)) => (name.as_str(), args),
        None => ("bash", &[][..]),
    };
    let status = process::interactive(toolchain.command(name, &Binds::none()).args(args))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::MACHINERY))
}
