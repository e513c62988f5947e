// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock ide`.

use clap::Args;

use crate::error::{Error, Kind, Result};
use crate::events::Events;

/// Options of `drydock ide`.
#[derive(Debug, Args)]
pub struct Options {}

/// Carries out `drydock ide`.
pub fn main(_options: Options, _events: &Events) -> Result<u8> {
    Err(Error::new(Kind::Machinery, "`ide` is not there yet"))
}
