// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock test`.

use clap::Args;

use crate::error::{Error, Kind, Result};
use crate::events::Events;

/// Options of `drydock test`.
#[derive(Debug, Args)]
pub struct Options {
    /// Run only tests whose name contains this
    filter: Option<String>,
}

/// Carries out `drydock test`.
pub fn main(_options: Options, _events: &Events) -> Result<u8> {
    Err(Error::new(Kind::Machinery, "`test` is not there yet"))
}
