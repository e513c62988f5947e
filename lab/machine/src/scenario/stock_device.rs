// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Emulated GPUs that QEMU has itself and the stock kernel drives: devices beside the one of the driver under test.
//!
//! Source: `qemu-system-x86_64 -device help` of QEMU 11.1; the kernel's drivers/gpu/drm/Kconfig.

use drydock_base::error::{Error, Kind, Result};
use drydock_base::near;
use drydock_toolchain::debug_kernel;

/// A device of QEMU with a driver in the stock kernel.
#[derive(Debug, PartialEq, Eq)]
pub struct StockDevice {
    /// Its name on the command line.
    pub name: &'static str,
    /// The value of its `-device`.
    pub qemu: &'static str,
    /// The module of its driver.
    pub module: &'static str,
    /// The option that has the kernel's build make it.
    option: &'static str,
}

/// All devices.
const ALL: &[StockDevice] = &[
    StockDevice { name: "bochs", qemu: "bochs-display", module: "bochs", option: "CONFIG_DRM_BOCHS=m" },
    StockDevice { name: "cirrus", qemu: "cirrus-vga", module: "cirrus_qemu", option: "CONFIG_DRM_CIRRUS_QEMU=m" },
    StockDevice { name: "virtio-gpu", qemu: "virtio-gpu-pci", module: "virtio_gpu", option: "CONFIG_DRM_VIRTIO_GPU=m" },
];

impl StockDevice {
    /// Returns the device `name`. The message for an unknown name lists all.
    pub fn parse(name: &str) -> Result<&'static Self, String> {
        let names = || ALL.iter().map(|device| device.name);
        ALL.iter().find(|device| device.name == name).ok_or_else(|| {
            let known = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let question = near::question(name, names()).map(|question| format!("; {question}")).unwrap_or_default();
            format!("there is no device `{name}` (known devices: {known}){question}")
        })
    }

    /// Fails if `kernel`, as the command line names it, has no driver for the device. Stock kernels have all.
    pub fn check(&self, kernel: Option<&str>) -> Result<()> {
        let lacks = |name: &&str| debug_kernel::named(name).is_some_and(|variant| !variant.has(self.option));
        match kernel.filter(lacks) {
            None => Ok(()),
            Some(kernel) => {
                let Self { name, module, .. } = self;
                let message = format!("kernel `{kernel}` has no driver `{module}`, which `--device {name}` needs");
                Err(Error::new(Kind::Usage, message).hint("only stock kernels have it: leave out `--kernel`"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_kernels_have_only_the_driver_of_bochs() {
        let device = StockDevice::parse("cirrus").unwrap();
        assert!(device.check(None).is_ok() && device.check(Some("7.3")).is_ok());
        assert_eq!(
            device.check(Some("debug")).unwrap_err().to_string(),
            "kernel `debug` has no driver `cirrus_qemu`, which `--device cirrus` needs"
        );
        assert!(StockDevice::parse("bochs").unwrap().check(Some("debug")).is_ok());
    }

    #[test]
    fn unknown_device_is_refused_with_the_list() {
        assert_eq!(StockDevice::parse("virtio-gpu").unwrap().module, "virtio_gpu");
        assert_eq!(
            StockDevice::parse("virtio-gpu-pci").unwrap_err(),
            "there is no device `virtio-gpu-pci` (known devices: `bochs`, `cirrus`, `virtio-gpu`); did you mean `virtio-gpu`?"
        );
    }
}
