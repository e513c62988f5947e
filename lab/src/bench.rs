// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock bench`.

use clap::Args;

use crate::error::{Error, Kind, Result};
use crate::events::Events;

/// Options of `drydock bench`.
#[derive(Debug, Args)]
pub struct Options {}

/// Carries out `drydock bench`.
pub fn main(_options: Options, _events: &Events) -> Result<u8> {
    Err(Error::new(Kind::Machinery, "`bench` is not there yet"))
}
