// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Takes the device of a display away while a client draws, and brings it back.
//!
//! Source: Documentation/driver-api/driver-model/binding.rst; Documentation/ABI/testing/sysfs-bus-pci (`remove`, `rescan`).

use std::time::Duration;

use drydock_machine::error::Error as VmError;
use drydock_machine::guest::Guest;
use drydock_machine::pace::patient;
use drydock_machine::scenario::{Boot, Scene};

/// The time limit on an idle host for a device to go or to come.
const LIMIT: Duration = Duration::from_secs(60);

/// A way to take a device away. Both lines are for the guest's shell.
pub(super) struct Plug {
    /// Takes the device of `card0` away.
    out: &'static str,
    /// Brings it back once the driver is loaded.
    back: &'static str,
}

/// Unbinds the device. A driver that makes its device makes another one when it is loaded.
pub(super) const UNBOUND: Plug =
    Plug { out: "cd /sys/class/drm/card0/device && basename \"$(pwd -P)\" >driver/unbind", back: "true" };

/// Removes the PCI function, and finds it again.
pub(super) const REMOVED: Plug =
    Plug { out: "echo 1 >/sys/class/drm/card0/device/remove", back: "echo 1 >/sys/bus/pci/rescan" };

impl Plug {
    /// Takes the device away.
    pub(super) fn pull(&self, guest: &Guest) -> Result<(), VmError> {
        guest.check(&["sh", "-c", self.out], patient(LIMIT)).map(drop)
    }

    /// Unloads the driver, which nobody may hold, and brings driver and device back.
    pub(super) fn load_again(&self, scene: &mut Scene<'_>, boot: &Boot, modules: &[String]) -> Result<(), VmError> {
        scene.leave()?;
        modules.iter().try_for_each(|module| scene.insmod(module))?;
        scene.guest().check(&["sh", "-c", self.back], patient(LIMIT))?;
        boot.root.settle(scene.guest())
    }
}
