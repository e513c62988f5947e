// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A device whose screens are read.
//!
//! Source: the example of `drm::Device`; drm_auth.c for who becomes master; Documentation/ABI/stable/sysfs-devices and sysfs(5) for
//! `/sys/dev/char`.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use anyhow::{Context, bail};
use drm::control::{Device as _, ResourceHandle};
use drm::{ClientCapability, Device as _};

/// An open primary node.
#[derive(Debug)]
pub(crate) struct Card(File);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl drm::Device for Card {}
impl drm::control::Device for Card {}

impl Card {
    /// Opens a node to read the state of its device.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let card = Self(file.with_context(|| format!("failed to open `{}`", path.display()))?);
        // Whoever opens a device without a master becomes it, and would keep a client from that. It fails if another is.
        let _ = card.release_master_lock();
        // Without this, a client sees neither primary planes nor where a plane is.
        let atomic = card.set_client_capability(ClientCapability::Atomic, true);
        atomic.with_context(|| format!("the driver of `{}` has no atomic mode setting", path.display()))?;
        Ok(card)
    }

    /// Opens the first device that can set modes.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let nodes: Vec<_> = sys::nodes::Device::all().into_iter().map(|device| device.primary).collect();
        for node in &nodes {
            let is_display = File::open(node).is_ok_and(|file| {
                let card = Self(file);
                let _ = card.release_master_lock();
                card.resource_handles().is_ok()
            });
            if is_display {
                return Self::open(node);
            }
        }
        bail!("no driver here has a screen: none of {} devices can set modes", nodes.len())
    }

    /// Returns the name of the device on its bus, such as `0000:00:03.0`.
    pub(crate) fn place(&self) -> anyhow::Result<String> {
        let number = rustix::fs::fstat(&self.0)?.st_rdev;
        let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
        let link = format!("/sys/dev/char/{major}:{minor}/device");
        let path = std::fs::canonicalize(&link).with_context(|| format!("failed to follow `{link}`"))?;
        Ok(path.file_name().context("a device has no name")?.to_string_lossy().into_owned())
    }

    /// Returns the values of an object's properties by their names.
    pub(crate) fn properties<T: ResourceHandle>(&self, object: T) -> io::Result<HashMap<String, u64>> {
        let set = self.get_properties(object)?;
        let value = |(&property, &value)| {
            let name = self.get_property(property)?.name().to_string_lossy().into_owned();
            Ok((name, value))
        };
        set.iter().map(value).collect()
    }
}
