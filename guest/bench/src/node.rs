// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finds and opens the node of a driver.
//!
//! Source: none.

use std::fs::{File, OpenOptions};
use std::io::{Error, Result};
use std::path::{Path, PathBuf};

use sys::nodes::{Device, driver_name};
use uapi::{Plain, Request};

/// Calls an ioctl with the structure that the request carries.
#[inline]
pub(crate) fn ioctl<T: Plain>(file: &File, request: &Request<T>, argument: &mut T) -> Result<()> {
    Ok(sys::ioctl(file, request, argument).map(drop)?)
}

/// Opens a node for reading and writing.
pub(crate) fn open(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Returns the primary node of `driver`.
pub(crate) fn find(driver: &str) -> Result<PathBuf> {
    let nodes = Device::all().into_iter().map(|device| device.primary);
    let found = nodes.into_iter().find(|node| driver_name(node).is_ok_and(|name| name == driver));
    found.ok_or_else(|| Error::other(format!("no node of driver `{driver}` in `/dev/dri`")))
}
