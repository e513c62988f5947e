// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes the toolchain root.

use crate::cache::CacheLayout;
use crate::error::{Error, Kind, Result};
use crate::events::Events;

/// Whether the root is there and is what this version of the lab wants.
pub fn is_made(_cache: &CacheLayout) -> bool {
    false
}

/// Makes the root.
pub fn ensure(_cache: &CacheLayout, _update: bool, _events: &Events) -> Result<()> {
    Err(Error::new(Kind::Machinery, "not there yet"))
}
