// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finds and opens the node of a driver.
//!
//! Source: ioctl(2), `DRM_IOCTL_VERSION` in `include/uapi/drm/drm.h`.

use std::fs::{File, OpenOptions};
use std::io::{Error, Result};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use uapi::{Plain, Request, VERSION, Version};

/// Calls an ioctl with the structure that the request carries.
#[inline]
pub(crate) fn ioctl<T: Plain>(file: &File, request: &Request<T>, argument: &mut T) -> Result<()> {
    // SAFETY: the request's size is that of `T`, and a `Plain` argument holds no addresses.
    unsafe { ioctl_with_addresses(file, request, argument) }
}

/// Like [`ioctl`], with a structure that holds addresses.
///
/// # Safety
///
/// The kernel may read and write the memory that the structure points to.
#[inline]
pub(crate) unsafe fn ioctl_with_addresses<T>(file: &File, request: &Request<T>, argument: &mut T) -> Result<()> {
    // SAFETY: the request's size is that of `T`; for the rest, by this function's contract.
    match unsafe { libc::ioctl(file.as_raw_fd(), request.number as _, std::ptr::from_mut(argument)) } {
        -1 => Err(Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Returns the name of the driver behind an open node.
fn driver_name(file: &File) -> Result<String> {
    let mut name = vec![0_u8; 64];
    let mut version = Version { name_len: 64, name: name.as_mut_ptr() as u64, ..Version::default() };
    // SAFETY: the name's buffer has the length in the structure; the other buffers have no length.
    unsafe { ioctl_with_addresses(file, &VERSION, &mut version) }?;
    name.truncate(version.name_len as usize);
    Ok(String::from_utf8_lossy(&name).into_owned())
}

/// Opens a node for reading and writing.
pub(crate) fn open(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Returns the primary node of `driver`.
pub(crate) fn find(driver: &str) -> Result<PathBuf> {
    for entry in std::fs::read_dir("/dev/dri")? {
        let path = entry?.path();
        let is_primary = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("card"));
        if is_primary && driver_name(&open(&path)?)? == driver {
            return Ok(path);
        }
    }
    Err(Error::other(format!("no node of driver `{driver}` in `/dev/dri`")))
}
