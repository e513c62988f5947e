// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Lists the disruptions of each driver's device, and the faults of the emulated GPUs.
//!
//! Source: `models/src/fault.rs`, `models/src/nova.rs` and `models/src/mali.rs` for the faults.

use std::ffi::CStr;

use rustix::io::Errno;
use sys::Answer;

use crate::harness::check::{Outcome, fail, name};
use crate::harness::modules;
use crate::subjects::display;
use crate::subjects::driver::{Driver, module_users};
use crate::subjects::guest::Guest;
use crate::subjects::nova;
use crate::subjects::pci::{Function, rescan};
use crate::subjects::tyr;
use crate::works;

/// A disruption of a device or of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// The driver is unbound, and bound again.
    Unbind,
    /// The driver of the child, which has the DRM device, is unbound, and bound again.
    UnbindChild,
    /// The function is removed from its bus, and found again.
    Remove,
    /// The module is unloaded and loaded again.
    Reload,
    /// The GPU has a fault.
    Fault,
    /// Memory is short.
    Shortage,
    /// A process is killed.
    Kill,
}

use Happening::{Fault, Kill, Reload, Remove, Shortage, Unbind, UnbindChild};

/// The disruptions of each driver's device, with their weights.
const VGEM: &[(Happening, u32)] = &[(Unbind, 8), (Reload, 1), (Shortage, 2), (Kill, 2)];
const NOVA: &[(Happening, u32)] =
    &[(Unbind, 4), (UnbindChild, 4), (Remove, 2), (Reload, 1), (Fault, 2), (Shortage, 2), (Kill, 2)];
const TYR: &[(Happening, u32)] = &[(Unbind, 6), (Remove, 2), (Reload, 1), (Fault, 4), (Shortage, 4), (Kill, 3)];

const VKMS: &[(Happening, u32)] = &[(Unbind, 8), (Reload, 1), (Shortage, 2), (Kill, 2)];

/// The parameters of a display's module: several outputs, each with a cursor and an overlay.
const OUTPUTS: &CStr = c"outputs=3 enable_overlay=1";

/// Faults of all GPUs. `N` is replaced by a number of register accesses.
const COMMON: [&str; 7] = [
    r#"{"kind": "removal"}"#,
    r#"{"kind": "removal", "after": {"accesses": N}}"#,
    r#"{"kind": "lost-interrupt", "count": 3}"#,
    r#"{"kind": "lost-interrupt", "after": {"accesses": N}}"#,
    r#"{"kind": "spurious-interrupt"}"#,
    r#"{"kind": "slow", "factor": 3}"#,
    r#"{"kind": "dma-refusal", "after": {"accesses": N}}"#,
];
const OF_NOVA: &[&str] = &[
    r#"{"kind": "slow-boot", "seconds": 0.3}"#,
    r#"{"kind": "stuck-boot"}"#,
    r#"{"kind": "unknown-chip"}"#,
    r#"{"kind": "other-chip", "name": "TU104"}"#,
];
const OF_MALI: &[&str] = &[
    r#"{"kind": "spurious-interrupt", "vector": 1}"#,
    r#"{"kind": "spurious-interrupt", "vector": 2}"#,
    r#"{"kind": "stuck-reset"}"#,
    r#"{"kind": "stuck-power"}"#,
    r#"{"kind": "slow-reset", "seconds": 0.2}"#,
    r#"{"kind": "slow-boot", "seconds": 0.2}"#,
    r#"{"kind": "silent-boot"}"#,
    r#"{"kind": "silent-mcu"}"#,
    r#"{"kind": "corrupt-firmware", "section": 0}"#,
];

/// The device of the guest's driver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Device<'g>(pub(super) &'g Guest);

impl Device<'_> {
    /// Returns the disruptions of the device, with their weights.
    pub(super) fn happenings(self) -> &'static [(Happening, u32)] {
        match self.0.driver {
            Driver::Rust => VGEM,
            Driver::C | Driver::CVkms => &[],
            Driver::Nova => NOVA,
            Driver::Tyr => TYR,
            Driver::Vkms => VKMS,
        }
    }

    /// Returns the faults that the device can have.
    pub(super) fn faults(self) -> Vec<&'static str> {
        let own = match self.0.driver {
            Driver::Rust | Driver::C | Driver::Vkms | Driver::CVkms => return Vec::new(),
            Driver::Nova => OF_NOVA,
            Driver::Tyr => OF_MALI,
        };
        COMMON.iter().chain(own).copied().collect()
    }

    /// Returns the PCI function.
    fn function(self) -> Outcome<Function> {
        match self.0.driver.gpu().and_then(Function::find) {
            Some(function) => Ok(function),
            None => fail("the GPU is not on its bus"),
        }
    }

    pub(super) fn unbind(self) -> Outcome<Answer> {
        match (self.0.driver.gpu(), self.0.driver) {
            (Some(_), _) => Ok(self.function()?.unbind()),
            (None, Driver::Vkms) => Ok(display::Platform::of(Driver::Vkms)?.unbind()),
            (None, driver) => Ok(driver.unbind()),
        }
    }

    pub(super) fn bind(self) -> Outcome<Answer> {
        match (self.0.driver.gpu(), self.0.driver) {
            (Some(_), _) => Ok(self.function()?.bind()),
            (None, Driver::Vkms) => Ok(display::Platform::of(Driver::Vkms)?.bind()),
            (None, driver) => Ok(driver.bind()),
        }
    }

    /// Unbinds a display whose console keeps its buffer exported, although no client has it any more, and so keeps the driver
    /// (docs/reference/c-core-faults.md, "Displays").
    pub(super) fn end_exported_console(self) -> Outcome {
        if self.0.driver == Driver::Vkms
            && dma_bufs() != "Total 0 objects, 0 bytes"
            && matches!(self.is_bound(), Ok(true))
        {
            works!(self.unbind()?);
        }
        Ok(())
    }

    /// Whether the driver is bound to its device.
    pub(super) fn is_bound(self) -> Outcome<bool> {
        match (self.0.driver.gpu(), self.0.driver) {
            (Some(_), _) => Ok(self.function()?.is_bound()),
            (None, Driver::Vkms) => Ok(display::Platform::of(Driver::Vkms)?.is_bound()),
            (None, driver) => Ok(driver.find().is_some()),
        }
    }

    /// Unbinds the child's driver and binds it again.
    pub(super) fn toggle_child(self, meanwhile: impl FnOnce()) -> Outcome {
        let Some(child) = nova::Gpu::find().and_then(|gpu| gpu.child()) else {
            return fail("the parent is bound and has no auxiliary device");
        };
        works!(child.unbind());
        meanwhile();
        works!(child.bind());
        Ok(())
    }

    /// Removes the function from its bus and rescans the bus.
    pub(super) fn toggle_function(self, meanwhile: impl FnOnce()) -> Outcome {
        works!(self.function()?.remove());
        meanwhile();
        rescan()
    }

    /// Plans a fault of the emulated GPU.
    pub(super) fn fault(self, fault: &str) -> Outcome {
        self.function()?.fault(fault)
    }

    /// Ends all faults. No driver may use the GPU meanwhile, since it forgets everything.
    pub(super) fn repair(self) -> Outcome {
        if self.is_bound()? {
            works!(self.unbind()?);
        }
        self.function()?.ask(r#""repair""#).map(drop)
    }

    /// Returns the modules, users first.
    fn modules(self) -> &'static [&'static str] {
        match self.0.driver {
            Driver::Rust => &["vgem_rust", "drm_rust"],
            Driver::C => &["vgem"],
            Driver::Vkms => &["vkms_rust", "drm_rust"],
            Driver::CVkms => &["vkms"],
            Driver::Nova => &[nova::DRM, nova::CORE, "drm_rust"],
            Driver::Tyr => &[tyr::MODULE, "drm_rust"],
        }
    }

    /// Unloads all modules. A module that is not loaded is skipped.
    pub(super) fn unload(self) -> Answer {
        self.modules().iter().try_for_each(|module| match modules::remove(module) {
            Err(Errno::NOENT) => Ok(()),
            other => other,
        })
    }

    /// Unloads the driver of a display, whose parameters are the storm's own.
    pub(super) fn forget_parameters(self) -> Outcome {
        if self.0.driver == Driver::Vkms {
            match modules::remove(self.0.driver.module()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return fail(format!("the display's driver cannot be unloaded: {}", name(errno))),
            }
        }
        Ok(())
    }

    /// Unloads other modules that use the layer, which earlier cases leave behind: a storm opens every node and unloads
    /// everything.
    pub(super) fn alone(self) -> Outcome {
        let holders = std::fs::read_dir("/sys/module/drm_rust/holders").into_iter().flatten().flatten();
        let names = holders.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut others: Vec<_> = names.filter(|name| !self.modules().contains(&name.as_str())).collect();
        // Some of them use others, so this takes several rounds.
        while !others.is_empty() {
            let before = others.len();
            others.retain(|module| modules::remove(module).is_err());
            if others.len() == before {
                return fail(format!("{others:?} are not part of the storm, and cannot be unloaded"));
            }
        }
        Ok(())
    }

    /// Returns the remaining users of the modules.
    pub(super) fn users(self) -> Outcome<String> {
        let mut text = String::new();
        for module in self.modules() {
            if let Some(users) = module_users(module)? {
                text.push_str(&format!(" {module} {users}"));
            }
        }
        Ok(text)
    }

    /// Loads the modules that are not loaded. The device is bound after this.
    pub(super) fn load(self) -> Outcome {
        let modules = self.0.modules()?;
        for module in self.modules().iter().rev() {
            let files = modules.of(module)?;
            let is_display = self.0.driver == Driver::Vkms && *module == self.0.driver.module();
            let loaded = match is_display && module_users(module)?.is_none() {
                true => files.load_with(OUTPUTS),
                false => files.load(),
            };
            if let Err(errno) = loaded {
                return fail(format!("`{module}` cannot be loaded: {}", name(errno)));
            }
        }
        Ok(())
    }

    /// Loads and binds everything and ends all faults, so that a client can open the device.
    pub(super) fn ready(self) -> Outcome {
        match self.0.driver {
            Driver::Rust | Driver::C | Driver::CVkms => self.0.restore()?,
            Driver::Vkms => {
                self.load()?;
                if !self.is_bound()? {
                    works!(self.bind()?);
                }
            }
            Driver::Nova => nova::Gpu::ready(self.0)?.open().map(drop)?,
            Driver::Tyr => tyr::Gpu::ready(self.0)?.open().map(drop)?,
        }
        match self.is_bound()? {
            true => Ok(()),
            false => fail("the driver does not have its device"),
        }
    }
}

/// Returns the sum of all dma-bufs, in the kernel's words.
pub(super) fn dma_bufs() -> String {
    let list = std::fs::read_to_string("/sys/kernel/debug/dma_buf/bufinfo").unwrap_or_default();
    list.lines().last().unwrap_or_default().to_owned()
}
