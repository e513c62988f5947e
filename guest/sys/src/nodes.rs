// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finds the DRM devices of the machine, their nodes and their drivers.
//!
//! Source: the layout of `/sys/class/drm` of a running kernel; `DRM_IOCTL_VERSION` in `include/uapi/drm/drm.h`.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use uapi::{VERSION, Version};

use crate::{Answer, ioctl_raw, open};

/// A DRM device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `/dev/dri/cardN`
    pub primary: PathBuf,
    /// `/dev/dri/renderDN`, if the device has one.
    pub render: Option<PathBuf>,
    /// The parent device in `/sys/devices`.
    pub parent: PathBuf,
}

impl Device {
    /// Returns all devices that have a parent, in the order of their primary nodes' names.
    pub fn all() -> Vec<Self> {
        let mut cards: Vec<PathBuf> = entries(Path::new("/sys/class/drm"), "card").collect();
        cards.sort();
        cards.iter().filter_map(|card| Self::of_card(card)).collect()
    }

    fn of_card(card: &Path) -> Option<Self> {
        let parent = fs::canonicalize(card.join("device")).ok()?;
        let render = entries(&parent.join("drm"), "renderD").next().and_then(|render| device_file(&render));
        Some(Self { primary: device_file(card)?, render, parent })
    }

    /// Returns the name of the parent's bus.
    pub fn bus(&self) -> Option<String> {
        self.name_behind("subsystem")
    }

    /// Returns the name of the module whose driver has the parent.
    pub fn module(&self) -> Option<String> {
        self.name_behind("driver/module")
    }

    fn name_behind(&self, link: &str) -> Option<String> {
        let target = fs::canonicalize(self.parent.join(link)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }
}

/// Returns the driver's name as `VERSION` reports it for an open node.
pub fn driver_name_of(file: impl AsFd) -> Answer<String> {
    let mut name = [0_u8; 64];
    let mut version = Version { name_len: name.len() as u64, name: name.as_mut_ptr() as u64, ..Version::default() };
    // SAFETY: the structure is complete, and the only buffer in it is `name` with its length.
    unsafe { ioctl_raw(file.as_fd(), VERSION.number, std::ptr::from_mut(&mut version) as usize) }?;
    let len = usize::try_from(version.name_len).unwrap_or(0).min(name.len());
    Ok(String::from_utf8_lossy(&name[..len]).into_owned())
}

/// Returns the driver's name as `VERSION` reports it for a node.
pub fn driver_name(node: &Path) -> Answer<String> {
    driver_name_of(open(node, OFlags::RDWR)?)
}

/// Returns the file `status` of each connector of a card, by the path of its primary node.
pub fn connector_status(primary: &Path) -> Vec<PathBuf> {
    let Some(card) = primary.file_name() else { return Vec::new() };
    let folders = fs::read_dir(Path::new("/sys/class/drm").join(card)).into_iter().flatten().flatten();
    let mut files: Vec<_> = folders.map(|entry| entry.path().join("status")).filter(|file| file.exists()).collect();
    files.sort();
    files
}

/// Returns the entries of a folder whose names are the prefix and a number (so no connectors).
fn entries(folder: &Path, prefix: &'static str) -> impl Iterator<Item = PathBuf> + use<> {
    let listed = fs::read_dir(folder).into_iter().flatten().flatten();
    listed.map(|entry| entry.path()).filter(move |path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        is_numbered(name, prefix)
    })
}

fn is_numbered(name: &str, prefix: &str) -> bool {
    let number = name.strip_prefix(prefix).unwrap_or("");
    !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
}

/// Returns the node in `/dev` of a device in sysfs.
fn device_file(device: &Path) -> Option<PathBuf> {
    let uevent = fs::read_to_string(device.join("uevent")).ok()?;
    let name = uevent.lines().find_map(|line| line.strip_prefix("DEVNAME="))?;
    Some(Path::new("/dev").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connectors_are_not_taken_for_cards() {
        assert!(is_numbered("card0", "card"));
        assert!(is_numbered("renderD128", "renderD"));
        assert!(!is_numbered("card0-HDMI-A-1", "card"));
        assert!(!is_numbered("card", "card"));
    }
}
