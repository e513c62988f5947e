// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock setup`: prepares the toolchain before another command needs it.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use drydock_base::error::Result;
use drydock_base::events::Events;
use drydock_base::exit;
use drydock_toolchain::{client_root, setup};

/// Prepare everything the other commands need, and nothing else
#[derive(Debug, Args)]
pub struct Options {
    /// Prepare this kernel, by its release or series, and use it from now on; `debug` or `kcsan` builds a debug kernel
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Fetch newer packages and kernels from the mirror, even if nothing is missing
    #[arg(long)]
    update: bool,
}

/// The result of `setup`, for the user.
#[derive(Debug, Serialize)]
struct Prepared<'a> {
    root: &'a Path,
    kernel: &'a str,
    tree: &'a Path,
    seconds: f64,
}

/// Runs `drydock setup`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let started = std::time::Instant::now();
    let toolchain = setup::prepare(options.kernel.as_deref(), options.update, events)?;
    if options.update {
        client_root::ask_mirror_again(&toolchain.cache, events)?;
    }
    let kernel = &toolchain.kernel;
    let seconds = started.elapsed().as_secs_f64();
    let prepared = Prepared { root: &toolchain.root, kernel: &kernel.release, tree: &kernel.tree, seconds };
    events.result(&prepared, |_| format!("everything is prepared: kernel {}, {seconds:.1} s", kernel.release));
    Ok(exit::OK)
}
