// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The drivers that need hardware a plain machine does not have, and their modules.

use crate::gpu::Wanted;
use crate::model::{Choices, Name};
use drydock_base::error::Result;
use drydock_base::events::Events;
use drydock_toolchain::firmware::{self, Firmware};

/// A driver that drives an emulated GPU.
struct Driver {
    /// Its name on the command line.
    name: &'static str,
    /// Its modules, in the order in which they are loaded.
    modules: &'static [&'static str],
    /// Its hardware.
    gpu: Name,
    /// The firmware that it loads into its hardware.
    firmware: Option<&'static Firmware>,
}

/// All drivers with hardware.
const DRIVERS: &[Driver] = &[
    Driver { name: "nova", modules: &["nova_core", "nova_drm"], gpu: Name::Nova, firmware: None },
    Driver { name: "tyr", modules: &["tyr"], gpu: Name::Mali, firmware: Some(&firmware::MALI_CSF) },
];

/// Returns the GPU that `driver` needs, as chosen. Fetches its firmware if it is missing.
pub fn gpu_of(
    driver: &str,
    choices: &Choices,
    firmware: Option<&firmware::Choice>,
    events: &Events,
) -> Result<Option<Wanted>> {
    let Some(driver) = find(driver) else { return Ok(None) };
    let firmware = driver.firmware.map(|wanted| firmware::obtain(wanted, firmware, events)).transpose()?;
    Ok(Some(Wanted { name: driver.gpu, choices: choices.clone(), firmware }))
}

/// Returns which GPU `driver` needs.
pub fn kind_of_gpu(driver: &str) -> Option<Name> {
    find(driver).map(|driver| driver.gpu)
}

/// Returns whether `driver` loads firmware.
pub fn has_firmware(driver: &str) -> bool {
    find(driver).is_some_and(|driver| driver.firmware.is_some())
}

/// Returns the modules of `driver`, unless it is one module of the same name.
pub(super) fn modules_of(driver: &str) -> Option<&'static [&'static str]> {
    find(driver).map(|driver| driver.modules)
}

/// Returns the drivers that need a GPU, by their names on the command line.
pub fn with_hardware() -> impl Iterator<Item = &'static str> {
    DRIVERS.iter().map(|driver| driver.name)
}

fn find(name: &str) -> Option<&'static Driver> {
    DRIVERS.iter().find(|driver| driver.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_without_hardware_of_its_own_gets_none() {
        assert!(gpu_of("vgem", &Choices::default(), None, &Events::silent()).unwrap().is_none());
        assert!(!has_firmware("vgem") && !has_firmware("nova") && has_firmware("tyr"));
    }

    #[test]
    fn a_firmware_that_is_not_there_keeps_the_machine_from_being_made() {
        let nowhere = firmware::Choice::File("/nowhere/fw.bin".into());
        let wanted = gpu_of("tyr", &Choices::default(), Some(&nowhere), &Events::silent());
        assert_eq!(wanted.unwrap_err().kind(), drydock_base::error::Kind::Usage);
        assert!(gpu_of("nova", &Choices::default(), Some(&nowhere), &Events::silent()).unwrap().is_some());
    }
}
