// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finds and opens the node of a driver.
//!
//! Source: `DRM_IOCTL_VERSION` in `include/uapi/drm/drm.h`.

use std::fs::{File, OpenOptions};
use std::io::{Error, Result};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use crate::uapi::Ioctl;

/// Calls an ioctl.
#[inline]
pub(crate) fn ioctl<T: Ioctl>(file: &File, argument: &mut T) -> Result<()> {
    // SAFETY: the number's structure is `T`, which holds no addresses.
    match unsafe { libc::ioctl(file.as_raw_fd(), T::NUMBER as _, std::ptr::from_mut(argument)) } {
        -1 => Err(Error::last_os_error()),
        _ => Ok(()),
    }
}

/// `struct drm_version`, of which only the name is requested.
#[repr(C)]
struct Version {
    numbers: [i32; 4],
    name_len: usize,
    name: *mut u8,
    others: [usize; 4],
}

/// Returns the name of the driver behind an open node.
fn driver_name(file: &File) -> Result<String> {
    let mut name = vec![0; 64];
    let mut version = Version { numbers: [0; 4], name_len: name.len(), name: name.as_mut_ptr(), others: [0; 4] };
    let number = 3 << 30 | (size_of::<Version>() as u32) << 16 | u32::from(b'd') << 8;
    // SAFETY: the name's buffer has the length in the structure; the other buffers have no length.
    if unsafe { libc::ioctl(file.as_raw_fd(), number as _, &raw mut version) } == -1 {
        return Err(Error::last_os_error());
    }
    name.truncate(version.name_len);
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
