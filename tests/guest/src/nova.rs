// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The emulated NVIDIA GPU and its two drivers, as a case uses them: `nova_core` on the PCI function, `nova_drm` on the
//! auxiliary device that the first makes.
//!
//! Source: Documentation/ABI/testing/sysfs-bus-pci, Documentation/driver-api/auxiliary_bus.rst (Linux 7.3).

mod mailbox;

use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::check::{Outcome, fail, skip};
use crate::device::DrmFile;
use crate::guest::Guest;
use crate::modules;
use crate::sys::{self, Answer};
use crate::uapi::nova::{
    NOVA_GEM_CREATE, NOVA_GEM_INFO, NOVA_GETPARAM, NovaGemCreate, NovaGemInfo, NovaGetparam, VRAM_BAR_SIZE,
};

/// The module of the parent.
pub(crate) const CORE: &str = "nova_core";
/// The module of the DRM driver.
pub(crate) const DRM: &str = "nova_drm";

const PCI: &str = "/sys/bus/pci";
const AUXILIARY: &str = "/sys/bus/auxiliary";

/// The PCI function, whatever is bound to it.
#[derive(Clone, Debug)]
pub(crate) struct Gpu {
    address: String,
}

impl Gpu {
    /// The function, with both drivers loaded and bound and nothing wrong with it.
    pub(crate) fn ready(guest: &Guest) -> Outcome<Self> {
        let gpu = Self::present()?;
        gpu.ask(r#""repair""#)?;
        gpu.load(guest)?;
        gpu.settle()?;
        Ok(gpu)
    }

    /// The function; a case skips if the machine has none.
    pub(crate) fn present() -> Outcome<Self> {
        if Self::find().is_none() {
            rescan()?;
        }
        match Self::find() {
            Some(gpu) => Ok(gpu),
            None => skip("the machine has no NVIDIA GPU, emulated or not"),
        }
    }

    /// The function, if it is on the bus.
    pub(crate) fn find() -> Option<Self> {
        let listed = fs::read_dir(format!("{PCI}/devices")).ok()?.flatten();
        let is_nvidia = |folder: PathBuf| {
            let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
            read("vendor").trim() == "0x10de" && read("class").starts_with("0x03")
        };
        let mut found = listed.filter(|entry| is_nvidia(entry.path()));
        Some(Self { address: found.next()?.file_name().to_string_lossy().into_owned() })
    }

    /// Loads both modules; those that are loaded stay.
    pub(crate) fn load(&self, guest: &Guest) -> Outcome {
        for module in [CORE, DRM] {
            if let Err(errno) = guest.modules()?.of(module)?.load() {
                return fail(format!("`{module}` cannot be loaded: {errno}"));
            }
        }
        Ok(())
    }

    /// Binds whatever is not bound.
    pub(crate) fn settle(&self) -> Outcome {
        if !self.path("driver").exists() {
            crate::works!(self.bind());
        }
        let Some(child) = self.child() else {
            return fail("the parent is bound and has no auxiliary device");
        };
        if !child.path("driver").exists() {
            crate::works!(child.bind());
        }
        self.node().map(drop)
    }

    /// A file of the function's folder in sysfs.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        Path::new(PCI).join("devices").join(&self.address).join(name)
    }

    /// Gives the function to `nova_core`.
    pub(crate) fn bind(&self) -> Answer {
        sys::write(&driver_file(PCI, CORE, "bind")?, &self.address)
    }

    /// Takes the function from `nova_core`, and with it the auxiliary device from `nova_drm`.
    pub(crate) fn unbind(&self) -> Answer {
        sys::write(&driver_file(PCI, CORE, "unbind")?, &self.address)
    }

    /// Takes the function off its bus, as if it had been pulled out.
    pub(crate) fn remove(&self) -> Answer {
        sys::write(&self.path("remove").to_string_lossy(), "1")
    }

    /// The length of a base address, by sysfs.
    pub(crate) fn bar_length(&self, bar: usize) -> Outcome<u64> {
        let text = fs::read_to_string(self.path("resource"))?;
        let range = text.lines().nth(bar).and_then(range_of);
        match range {
            Some((start, end)) => Ok(end - start + 1),
            None => fail(format!("BAR {bar} has no range in {text:?}")),
        }
    }

    /// Whether the driver has enabled the function, lets it access memory, and holds its registers.
    pub(crate) fn switched(&self) -> Outcome<[bool; 3]> {
        let enabled = fs::read_to_string(self.path("enable"))?.trim() != "0";
        let command = fs::read(self.path("config"))?[4];
        let claimed = fs::read_to_string("/proc/iomem")?.contains("nova");
        Ok([enabled, command & 4 != 0, claimed])
    }

    /// The auxiliary device that `nova_core` made, if it is bound.
    pub(crate) fn child(&self) -> Option<Child> {
        let names = fs::read_dir(self.path("")).ok()?.flatten().map(|entry| entry.file_name());
        let mut children = names.map(|name| name.to_string_lossy().into_owned());
        children.find(|name| name.starts_with("nova-core.")).map(|name| Child { name })
    }

    /// The primary node.
    pub(crate) fn node(&self) -> Outcome<PathBuf> {
        match self.child().and_then(|child| child.node("card")) {
            Some(node) => Ok(node),
            None => fail("the GPU has no DRM node"),
        }
    }

    /// A new file of the primary node.
    pub(crate) fn open(&self) -> Outcome<NovaFile> {
        let node = self.node()?;
        match DrmFile::open(&node) {
            Ok(file) => Ok(NovaFile(file)),
            Err(errno) => fail(format!("`{}` cannot be opened: {errno}", node.display())),
        }
    }
}

/// The auxiliary device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Child {
    name: String,
}

impl Child {
    /// `nova-core.nova-drm.N`
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A file of its folder in sysfs.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        Path::new(AUXILIARY).join("devices").join(&self.name).join(name)
    }

    /// Gives it to `nova_drm`.
    pub(crate) fn bind(&self) -> Answer {
        sys::write(&driver_file(AUXILIARY, DRM, "bind")?, &self.name)
    }

    /// Takes it from `nova_drm`.
    pub(crate) fn unbind(&self) -> Answer {
        sys::write(&driver_file(AUXILIARY, DRM, "unbind")?, &self.name)
    }

    /// Its node, by the beginning of the name: `card` or `renderD`.
    pub(crate) fn node(&self, kind: &str) -> Option<PathBuf> {
        let entries = fs::read_dir(self.path("drm")).ok()?.flatten();
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.find(|name| name.starts_with(kind)).map(|name| Path::new("/dev/dri").join(name))
    }
}

/// Looks for functions that are not on the bus.
pub(crate) fn rescan() -> Outcome {
    crate::works!(sys::write(&format!("{PCI}/rescan"), "1"));
    Ok(())
}

/// A file of the folder of a module's driver on a bus.
fn driver_file(bus: &str, module: &str, file: &str) -> Answer<String> {
    let listed = fs::read_dir(format!("{bus}/drivers")).map_err(|_| Errno::NOENT)?.flatten();
    let of_module = |folder: &PathBuf| {
        let link = fs::read_link(folder.join("module")).unwrap_or_default();
        link.file_name().is_some_and(|name| name == module)
    };
    let folder = listed.map(|entry| entry.path()).find(of_module).ok_or(Errno::NOENT)?;
    Ok(folder.join(file).to_string_lossy().into_owned())
}

/// First and last address of a line of `resource`.
fn range_of(line: &str) -> Option<(u64, u64)> {
    let mut numbers = line.split(' ').map(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16));
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Unloads both modules, the child's driver first.
pub(crate) fn unload() -> Answer {
    for module in [DRM, CORE] {
        match modules::remove(module) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// An open file of `nova_drm`.
#[derive(Debug)]
pub(crate) struct NovaFile(pub(crate) DrmFile);

impl NovaFile {
    /// `NOVA_GETPARAM`
    pub(crate) fn param(&self, param: u64) -> Answer<u64> {
        Ok(self.0.ioctl(&NOVA_GETPARAM, NovaGetparam { param, value: 0 })?.value)
    }

    /// The size of VRAM's base address: the driver's guarded ioctl.
    pub(crate) fn vram(&self) -> Answer<u64> {
        self.param(VRAM_BAR_SIZE)
    }

    /// `NOVA_GEM_CREATE`: a handle.
    pub(crate) fn create(&self, size: u64) -> Answer<u32> {
        Ok(self.0.ioctl(&NOVA_GEM_CREATE, NovaGemCreate { size, ..Default::default() })?.handle)
    }

    /// `NOVA_GEM_INFO`: the size of an object.
    pub(crate) fn size(&self, handle: u32) -> Answer<u64> {
        Ok(self.0.ioctl(&NOVA_GEM_INFO, NovaGemInfo { handle, ..Default::default() })?.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_the_first_two_numbers_of_its_line() {
        let line = "0x000000fd00000000 0x000000fd0fffffff 0x000000000014220c";
        assert_eq!(range_of(line), Some((0xfd_0000_0000, 0xfd_0fff_ffff)));
        assert_eq!(range_of(""), None);
    }
}
