// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Which drivers need hardware that a plain machine does not have, and what they consist of.

use crate::model::{Choices, Name};
use crate::vm::gpu::Wanted;

/// A driver that drives an emulated GPU.
struct Driver {
    /// What it is called on the command line.
    name: &'static str,
    /// Its modules, in the order in which they are loaded.
    modules: &'static [&'static str],
    /// Its hardware.
    gpu: Name,
}

/// All of them.
const DRIVERS: &[Driver] = &[Driver { name: "nova", modules: &["nova_core", "nova_drm"], gpu: Name::Nova }];

/// The GPU that `driver` needs, as chosen.
pub(crate) fn gpu_of(driver: &str, choices: &Choices) -> Option<Wanted> {
    find(driver).map(|driver| Wanted { name: driver.gpu, choices: choices.clone() })
}

/// The modules that `driver` consists of, if that is not one of its name.
pub(super) fn modules_of(driver: &str) -> Option<&'static [&'static str]> {
    find(driver).map(|driver| driver.modules)
}

fn find(name: &str) -> Option<&'static Driver> {
    DRIVERS.iter().find(|driver| driver.name == name)
}
