// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock new`.

use clap::Args;

use crate::error::{Error, Kind, Result};
use crate::events::Events;

/// Options of `drydock new`.
#[derive(Debug, Args)]
pub struct Options {}

/// Carries out `drydock new`.
pub fn main(_options: Options, _events: &Events) -> Result<u8> {
    Err(Error::new(Kind::Machinery, "`new` is not there yet"))
}
