// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A driver's device: finds its nodes, and unbinds and binds it.
//!
//! Source: Documentation/ABI/testing/sysfs-bus-pci, Documentation/driver-api/driver-model/ (Linux 7.3).

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use uapi::{DMA_HEAP_ALLOC, HeapAlloc, UDMABUF_CLOEXEC, UDMABUF_CREATE, UdmabufCreate};

use crate::sys::{self, Answer};

/// The driver whose device is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Driver {
    Vgem,
    Nova,
    Tyr,
}

impl Driver {
    /// All drivers.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 3] = [Self::Vgem, Self::Nova, Self::Tyr];

    /// Returns the module whose driver has the DRM device.
    const fn module(self) -> &'static str {
        match self {
            Self::Vgem => "vgem_rust",
            Self::Nova => "nova_drm",
            Self::Tyr => "tyr",
        }
    }

    /// Whether the device's parent in turn has a driver of ours.
    const fn has_parent(self) -> bool {
        matches!(self, Self::Nova)
    }
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
        let file = sys::open(&self.driver.join(file), libc::O_WRONLY)?;
        sys::write_all(file.as_raw_fd(), self.name.as_bytes()).map(|()| 0)
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
}

impl Device {
    /// Finds the device, which must be bound.
    pub(crate) fn find(driver: Driver) -> Result<Self, String> {
        let mut device = Self { driver, levels: Vec::new(), unbound: None, nodes: Vec::new() };
        device.look().ok_or_else(|| format!("no DRM device belongs to the module `{}`", driver.module()))?;
        Ok(device)
    }

    /// Returns a node. There is at least the primary one.
    pub(crate) fn node(&self, index: u64) -> &Path {
        &self.nodes[index as usize % self.nodes.len()]
    }

    /// Unbinds the driver of the device, or of its parent.
    pub(crate) fn unbind(&mut self, level: u64) -> Answer {
        let level = level as usize % self.levels.len();
        if self.unbound.is_some() {
            return Err(libc::ENODEV);
        }
        self.levels[level].write("unbind")?;
        self.unbound = Some(level);
        Ok(0)
    }

    /// Binds the driver that was unbound. The device's number may have changed after that.
    pub(crate) fn bind(&mut self) -> Answer {
        let Some(level) = self.unbound else { return Err(libc::EBUSY) };
        self.levels[level].write("bind")?;
        self.unbound = None;
        self.look().map(|()| 0).ok_or(libc::ENODEV)
    }

    /// Finds device and nodes by the driver's module.
    fn look(&mut self) -> Option<()> {
        let mut cards: Vec<_> = entries(Path::new("/sys/class/drm")).filter(|card| is_numbered(card, "card")).collect();
        cards.sort();
        let of_module = |card: &PathBuf| {
            let module = fs::canonicalize(card.join("device/driver/module")).ok()?;
            (module.file_name()? == self.driver.module()).then(|| fs::canonicalize(card.join("device")).ok())?
        };
        let device = cards.iter().find_map(of_module)?;
        let parent = device.parent().filter(|_| self.driver.has_parent()).and_then(Bound::of);
        self.levels = [Bound::of(&device)?].into_iter().chain(parent).collect();
        self.nodes = ["card", "renderD"]
            .into_iter()
            .filter_map(|kind| entries(&device.join("drm")).find(|node| is_numbered(node, kind)))
            .filter_map(|node| Some(Path::new("/dev/dri").join(node.file_name()?)))
            .collect();
        (!self.nodes.is_empty()).then_some(())
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Whether a path ends in the prefix and a number, unlike a connector's.
fn is_numbered(path: &Path, prefix: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = name.strip_prefix(prefix).unwrap_or_default();
    !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
}

/// Creates a buffer of the system's heap, or of pages of a memfd.
pub(crate) fn foreign(heap: bool, pages: usize) -> Answer<OwnedFd> {
    use std::os::fd::FromRawFd;
    let pages = pages.clamp(1, 64);
    if heap {
        let heap = sys::open(Path::new("/dev/dma_heap/system"), libc::O_RDWR)?;
        let fd_flags = (libc::O_CLOEXEC | libc::O_RDWR) as u32;
        let mut wanted = HeapAlloc { len: pages as u64 * 4096, fd_flags, ..HeapAlloc::default() };
        sys::ioctl(heap.as_raw_fd(), DMA_HEAP_ALLOC.number, std::ptr::from_mut(&mut wanted) as usize)?;
        // SAFETY: on success the kernel has put a new descriptor, which nothing else owns, into `fd`.
        return Ok(unsafe { OwnedFd::from_raw_fd(wanted.fd as i32) });
    }
    let memory = sys::memory_file(pages)?;
    let device = sys::open(Path::new("/dev/udmabuf"), libc::O_RDWR)?;
    let memfd = memory.as_raw_fd() as u32;
    let wanted = UdmabufCreate { memfd, flags: UDMABUF_CLOEXEC, offset: 0, size: pages as u64 * 4096 };
    let fd = sys::ioctl(device.as_raw_fd(), UDMABUF_CREATE.number, std::ptr::from_ref(&wanted) as usize)?;
    // SAFETY: this call returns the new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Whether a descriptor is a dma-buf of udmabuf, whose `DMA_BUF_IOCTL_SYNC` is not ours to test (docs/reference/obligations.md,
/// "Faults of the C core").
pub(crate) fn is_udmabuf(fd: RawFd) -> bool {
    fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).is_ok_and(|text| text.contains("exp_name:\tudmabuf\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connectors_are_no_cards() {
        assert!(is_numbered(Path::new("/x/card12"), "card"));
        assert!(!is_numbered(Path::new("/x/card0-HDMI-A-1"), "card"));
    }
}
