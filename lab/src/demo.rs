// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock demo`.

use clap::Args;

use crate::error::{Error, Kind, Result};
use crate::events::Events;

/// Options of `drydock demo`.
#[derive(Debug, Args)]
pub struct Options {}

/// Carries out `drydock demo`.
pub fn main(_options: Options, _events: &Events) -> Result<u8> {
    Err(Error::new(Kind::Machinery, "`demo` is not there yet"))
}
