// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock doctor`.

use clap::Args;

use crate::error::{Error, Kind, Result};
use crate::events::Events;

/// Options of `drydock doctor`.
#[derive(Debug, Args)]
pub struct Options {}

/// Carries out `drydock doctor`.
pub fn main(_options: Options, _events: &Events) -> Result<u8> {
    Err(Error::new(Kind::Machinery, "`doctor` is not there yet"))
}
