// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock run`.

use clap::Args;

use crate::error::{Error, Kind, Result};
use crate::events::Events;

/// Options of `drydock run`.
#[derive(Debug, Args)]
pub struct Options {
    /// The driver to load
    driver: String,
    /// The kernel to boot, by its release or series
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// How many processors the guest has
    #[arg(long, value_name = "N", default_value_t = 2)]
    cpus: u32,
    /// The client and its arguments; without one, a shell
    #[arg(last = true)]
    client: Vec<String>,
}

/// Carries out `drydock run`.
pub fn main(_options: Options, _events: &Events) -> Result<u8> {
    Err(Error::new(Kind::Machinery, "`run` is not there yet"))
}
