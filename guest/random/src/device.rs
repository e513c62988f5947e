// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A driver's device: finds its nodes, and unbinds and binds it.
//!
//! Source: Documentation/ABI/testing/sysfs-bus-pci, Documentation/driver-api/driver-model/ (Linux 7.3).

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use random::spec::Driver;
use rustix::fs::OFlags;
use rustix::io::Errno;
use sys::display::Objects;
use sys::foreign::{heap_buffer, udmabuf};
use sys::{Answer, nodes};
use uapi::PAGE;

/// Returns the module whose driver has the DRM device.
const fn module(driver: Driver) -> &'static str {
    match driver {
        Driver::Vgem => "vgem_rust",
        Driver::Nova => "nova_drm",
        Driver::Tyr => "tyr",
        Driver::Vkms => "vkms_rust",
    }
}

/// Whether the device's parent in turn has a driver of ours.
const fn has_parent(driver: Driver) -> bool {
    matches!(driver, Driver::Nova)
}

/// A device in sysfs with its driver's folder.
#[derive(Clone, Debug)]
struct Bound {
    name: String,
    driver: PathBuf,
}

impl Bound {
    fn of(device: &Path) -> Option<Self> {
        let name = device.file_name()?.to_string_lossy().into_owned();
        Some(Self { name, driver: fs::canonicalize(device.join("driver")).ok()? })
    }

    fn write(&self, file: &str) -> Answer {
        sys::write(&self.driver.join(file).to_string_lossy(), &self.name)
    }
}

/// The device of a driver.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    driver: Driver,
    /// The device itself, and its parent if that has a driver of ours; complete while both are bound.
    levels: Vec<Bound>,
    /// The index of the unbound level.
    unbound: Option<usize>,
    /// The nodes `/dev/dri/…`, the primary node first.
    nodes: Vec<PathBuf>,
    /// The objects of a display. They are the same whenever it is bound.
    display: Option<Objects>,
    /// Whether the status of a connector was written since all were probed.
    forced: bool,
}

impl Device {
    /// Finds the device, which must be bound.
    pub(crate) fn find(driver: Driver) -> Result<Self, String> {
        let (levels, nodes) = (Vec::new(), Vec::new());
        let mut device = Self { driver, levels, unbound: None, nodes, display: None, forced: false };
        device.look().ok_or_else(|| format!("no DRM device belongs to the module `{}`", module(driver)))?;
        if driver == Driver::Vkms {
            let objects = sys::open(device.node(0), OFlags::RDWR).and_then(Objects::of);
            device.display = Some(objects.map_err(|errno| format!("the display cannot be read: {errno}"))?);
        }
        Ok(device)
    }

    /// Returns a node. There is at least the primary one.
    pub(crate) fn node(&self, index: u64) -> &Path {
        &self.nodes[index as usize % self.nodes.len()]
    }

    /// Returns the objects of a display.
    pub(crate) fn display(&self) -> Option<&Objects> {
        self.display.as_ref()
    }

    /// Forces a connector on or off, or probes it.
    pub(crate) fn connect(&mut self, output: u64, status: u64) -> Answer<u64> {
        let files = nodes::connector_status(self.node(0));
        let file = files.get(output as usize % files.len().max(1)).ok_or(Errno::NOENT)?;
        self.forced = true;
        sys::write(&file.to_string_lossy(), ["detect", "on", "off"][status as usize % 3]).map(|()| 0)
    }

    /// Probes all connectors if any was forced.
    pub(crate) fn connect_all(&mut self) {
        if std::mem::take(&mut self.forced) {
            for file in nodes::connector_status(self.node(0)) {
                // A connector that is gone is not forced any more.
                let _ = sys::write(&file.to_string_lossy(), "detect");
            }
        }
    }

    /// Unbinds the driver of the device, or of its parent.
    pub(crate) fn unbind(&mut self, level: u64) -> Answer<u64> {
        let level = level as usize % self.levels.len();
        if self.unbound.is_some() {
            return Err(Errno::NODEV);
        }
        self.levels[level].write("unbind")?;
        self.unbound = Some(level);
        Ok(0)
    }

    /// Binds the driver that was unbound. The device's number may have changed after that.
    pub(crate) fn bind(&mut self) -> Answer<u64> {
        let Some(level) = self.unbound else { return Err(Errno::BUSY) };
        self.levels[level].write("bind")?;
        self.unbound = None;
        self.look().map(|()| 0).ok_or(Errno::NODEV)
    }

    /// Finds device and nodes by the driver's module.
    fn look(&mut self) -> Option<()> {
        let is_ours = |device: &nodes::Device| device.module().is_some_and(|name| name == module(self.driver));
        let found = nodes::Device::all().into_iter().find(is_ours)?;
        let parent = found.parent.parent().filter(|_| has_parent(self.driver)).and_then(Bound::of);
        self.levels = [Bound::of(&found.parent)?].into_iter().chain(parent).collect();
        self.nodes = [found.primary].into_iter().chain(found.render).collect();
        Some(())
    }
}

/// Creates a buffer of the system's heap, or of pages of a memfd.
pub(crate) fn foreign(heap: bool, pages: usize) -> Answer<OwnedFd> {
    let size = pages.clamp(1, 64) * PAGE;
    if heap { heap_buffer(size) } else { udmabuf(&sys::memory_file(size)?, size) }
}
