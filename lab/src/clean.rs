// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock clean`.

use clap::Args;

use crate::error::{Error, Kind, Result};
use crate::events::Events;

/// Options of `drydock clean`.
#[derive(Debug, Args)]
pub struct Options {}

/// Carries out `drydock clean`.
pub fn main(_options: Options, _events: &Events) -> Result<u8> {
    Err(Error::new(Kind::Machinery, "`clean` is not there yet"))
}
