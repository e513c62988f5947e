// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Gives cases the emulated Mali GPU and its driver.
//!
//! Source: `include/uapi/drm/panthor_drm.h`, Documentation/ABI/testing/sysfs-bus-pci (Linux 7.3); the model's commands
//! are those of `models/src/command.rs` and `models/src/mali.rs`.

mod client;
pub(crate) mod firmware;
pub(crate) mod reference;
pub(crate) mod sequence;
pub(crate) mod view;

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use crate::harness::check::{Outcome, fail, lacks};
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::subjects::pci::{Function, MALI, rescan};
use crate::works;

pub(crate) use client::{Op, TyrFile, point, signal, wait};

/// The driver's module.
pub(crate) const MODULE: &str = MALI.module;

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
    /// Returns the function with its driver loaded and bound and no fault planned.
    pub(crate) fn ready(guest: &Guest) -> Outcome<Self> {
        let gpu = Self::present()?;
        gpu.load(guest)?;
        if marker().exists() {
            gpu.mend()?;
        }
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
            None => lacks("the machine has no Mali GPU, emulated or not"),
        }
    }

    /// Returns the function, if it is on the bus.
    pub(crate) fn find() -> Option<Self> {
        Function::find(MALI).map(Self)
    }

    /// Loads the module, if it is not loaded.
    pub(crate) fn load(&self, guest: &Guest) -> Outcome {
        match guest.modules()?.load() {
            Ok(()) => Ok(()),
            Err(errno) => fail(format!("`{MODULE}` cannot be loaded: {errno}")),
        }
    }

    /// Binds the function if it is not bound.
    pub(crate) fn settle(&self) -> Outcome {
        if !self.is_bound() {
            works!(self.bind());
        }
        self.node("card").map(drop)
    }

    /// Plans a fault, a JSON object as in a fault plan. However the case ends, the next one begins with a healthy GPU.
    pub(crate) fn fault(&self, fault: &str) -> Outcome {
        fs::write(marker(), fault)?;
        self.0.fault(fault)
    }

    /// Unbinds the driver and ends all faults. The GPU forgets everything, so no driver may use it meanwhile.
    pub(crate) fn mend(&self) -> Outcome {
        if self.is_bound() {
            works!(self.unbind());
        }
        self.ask(r#""repair""#)?;
        match fs::remove_file(marker()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Returns a node, by the beginning of its name: `card` or `renderD`.
    pub(crate) fn node(&self, kind: &str) -> Outcome<PathBuf> {
        let entries = fs::read_dir(self.path("drm")).into_iter().flatten().flatten();
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        match names.find(|name| name.starts_with(kind)) {
            Some(name) => Ok(Path::new("/dev/dri").join(name)),
            None => fail(format!("the GPU has no node `{kind}…`")),
        }
    }

    /// Whether the function has a DRM device.
    pub(crate) fn has_device(&self) -> bool {
        self.path("drm").exists()
    }

    /// Opens the render node, as a client would.
    pub(crate) fn open(&self) -> Outcome<TyrFile> {
        self.open_node("renderD")
    }

    /// Opens a node.
    pub(crate) fn open_node(&self, kind: &str) -> Outcome<TyrFile> {
        let node = self.node(kind)?;
        match DrmFile::open(&node) {
            Ok(file) => Ok(TyrFile(file)),
            Err(errno) => fail(format!("`{}` cannot be opened: {errno}", node.display())),
        }
    }
}

/// Returns the path of a file whose existence means that a case has planned a fault.
fn marker() -> PathBuf {
    std::env::temp_dir().join("gpu-has-faults")
}
