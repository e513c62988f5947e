// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Kernel tree and metadata.

use crate::cache::CacheLayout;
use crate::error::{Error, Kind, Result};
use crate::events::Events;
use crate::kernels::Kernel;

/// The prepared kernel that `wanted` means, if there is one.
pub fn prepared(_cache: &CacheLayout, _wanted: Option<&str>) -> Result<Option<Kernel>> {
    Ok(None)
}

/// Prepares a kernel.
pub fn ensure(_cache: &CacheLayout, _wanted: Option<&str>, _update: bool, _events: &Events) -> Result<Kernel> {
    Err(Error::new(Kind::Machinery, "not there yet"))
}

/// The variables that every `make` in a kernel tree needs.
pub fn make_variables(_series: &str) -> Vec<String> {
    Vec::new()
}
