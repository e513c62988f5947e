// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock doc`.

use clap::Args;

use crate::error::{Error, Kind, Result};
use crate::events::Events;

/// Options of `drydock doc`.
#[derive(Debug, Args)]
pub struct Options {}

/// Carries out `drydock doc`.
pub fn main(_options: Options, _events: &Events) -> Result<u8> {
    Err(Error::new(Kind::Machinery, "`doc` is not there yet"))
}
