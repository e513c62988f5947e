// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Gives cases the emulated NVIDIA GPU and its two drivers: `nova_core` on the PCI function, and `nova_drm` on the
//! auxiliary device that `nova_core` makes.
//!
//! Source: Documentation/ABI/testing/sysfs-bus-pci, Documentation/driver-api/auxiliary_bus.rst (Linux 7.3).

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use sys::Answer;
use uapi::nova::{
    NOVA_GEM_CREATE, NOVA_GEM_INFO, NOVA_GETPARAM, NovaGemCreate, NovaGemInfo, NovaGetparam, VRAM_BAR_SIZE,
};

use crate::harness::check::{Outcome, fail, lacks};
use crate::harness::modules;
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::subjects::pci::{Function, NVIDIA, driver_file, rescan};

/// The module of the parent's driver.
pub(crate) const CORE: &str = NVIDIA.module;
/// The module of the DRM driver.
pub(crate) const DRM: &str = "nova_drm";

const AUXILIARY: &str = "/sys/bus/auxiliary";

/// The PCI function, whatever is bound to it.
#[derive(Clone, Debug)]
pub(crate) struct Gpu(Function);

impl Deref for Gpu {
    type Target = Function;

    fn deref(&self) -> &Function {
        &self.0
    }
}

impl Gpu {
    /// Returns the function with both drivers loaded and bound and no fault planned.
    pub(crate) fn ready(guest: &Guest) -> Outcome<Self> {
        let gpu = Self::present()?;
        gpu.ask(r#""repair""#)?;
        gpu.load(guest)?;
        gpu.settle()?;
        Ok(gpu)
    }

    /// Returns the function. A case is skipped if the machine has none.
    pub(crate) fn present() -> Outcome<Self> {
        if Self::find().is_none() {
            rescan()?;
        }
        match Self::find() {
            Some(gpu) => Ok(gpu),
            None => lacks("the machine has no NVIDIA GPU, emulated or not"),
        }
    }

    /// Returns the function, if it is on the bus.
    pub(crate) fn find() -> Option<Self> {
        Function::find(NVIDIA).map(Self)
    }

    /// Loads both modules, unless they are loaded.
    pub(crate) fn load(&self, guest: &Guest) -> Outcome {
        for module in [CORE, DRM] {
            if let Err(errno) = guest.modules()?.of(module)?.load() {
                return fail(format!("`{module}` cannot be loaded: {errno}"));
            }
        }
        Ok(())
    }

    /// Binds each device that is not bound.
    pub(crate) fn settle(&self) -> Outcome {
        if !self.is_bound() {
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

    /// Returns the auxiliary device that `nova_core` made, if it is bound.
    pub(crate) fn child(&self) -> Option<Child> {
        let names = fs::read_dir(self.path("")).ok()?.flatten().map(|entry| entry.file_name());
        let mut children = names.map(|name| name.to_string_lossy().into_owned());
        children.find(|name| name.starts_with("nova-core.")).map(|name| Child { name })
    }

    /// Returns the primary node.
    pub(crate) fn node(&self) -> Outcome<PathBuf> {
        match self.child().and_then(|child| child.node("card")) {
            Some(node) => Ok(node),
            None => fail("the GPU has no DRM node"),
        }
    }

    /// Opens the primary node.
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
    /// The device's name, `nova-core.nova-drm.N`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the path of a file in the device's sysfs folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        Path::new(AUXILIARY).join("devices").join(&self.name).join(name)
    }

    /// Binds the device to `nova_drm`.
    pub(crate) fn bind(&self) -> Answer {
        sys::write(&driver_file(AUXILIARY, DRM, "bind")?, &self.name)
    }

    /// Unbinds the device from `nova_drm`.
    pub(crate) fn unbind(&self) -> Answer {
        sys::write(&driver_file(AUXILIARY, DRM, "unbind")?, &self.name)
    }

    /// Returns the device's node, by the beginning of its name: `card` or `renderD`.
    pub(crate) fn node(&self, kind: &str) -> Option<PathBuf> {
        let entries = fs::read_dir(self.path("drm")).ok()?.flatten();
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.find(|name| name.starts_with(kind)).map(|name| Path::new("/dev/dri").join(name))
    }
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

    /// Returns the size of VRAM's BAR, by the driver's guarded ioctl.
    pub(crate) fn vram(&self) -> Answer<u64> {
        self.param(VRAM_BAR_SIZE)
    }

    /// `NOVA_GEM_CREATE`. Returns a handle.
    pub(crate) fn create(&self, size: u64) -> Answer<u32> {
        Ok(self.0.ioctl(&NOVA_GEM_CREATE, NovaGemCreate { size, ..Default::default() })?.handle)
    }

    /// `NOVA_GEM_INFO`. Returns the size of an object.
    pub(crate) fn size(&self, handle: u32) -> Answer<u64> {
        Ok(self.0.ioctl(&NOVA_GEM_INFO, NovaGemInfo { handle, ..Default::default() })?.size)
    }
}
