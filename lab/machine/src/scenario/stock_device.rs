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
}

/// All devices.
const ALL: &[StockDevice] = &[
    StockDevice { name: "bochs", qemu: "bochs-display", module: "bochs" },
    StockDevice { name: "cirrus", qemu: "cirrus-vga", module: "cirrus_qemu" },
    StockDevice { name: "virtio-gpu", qemu: "virtio-gpu-pci", module: "virtio_gpu" },
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

    /// Fails if `kernel`, as the command line names it, has no driver for the device: a debug kernel.
    pub fn check(&self, kernel: Option<&str>) -> Result<()> {
        match kernel.filter(|name| debug_kernel::named(name).is_some()) {
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
    fn debug_kernels_have_no_driver() {
        let device = StockDevice::parse("bochs").unwrap();
        assert!(device.check(None).is_ok() && device.check(Some("7.3")).is_ok());
        assert_eq!(
            device.check(Some("debug")).unwrap_err().to_string(),
            "kernel `debug` has no driver `bochs`, which `--device bochs` needs"
        );
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
