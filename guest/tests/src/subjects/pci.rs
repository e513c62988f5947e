// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Gives cases a PCI function with an emulated GPU behind it: to bind, unbind and remove it, and to ask it by its
//! mailbox.
//!
//! Source: Documentation/ABI/testing/sysfs-bus-pci (Linux 7.3).

mod mailbox;

use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use sys::Answer;

use crate::harness::check::{Outcome, fail};

pub(crate) use mailbox::violations;

const PCI: &str = "/sys/bus/pci";

/// Identifies a function and its driver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// The vendor's number as sysfs prints it.
    pub(crate) vendor: &'static str,
    /// The driver's module.
    pub(crate) module: &'static str,
    /// A word in the name under which the driver claims the registers.
    pub(crate) claim: &'static str,
}

/// The emulated NVIDIA GPU, whose driver is the parent of a DRM driver.
pub(crate) const NVIDIA: Kind = Kind { vendor: "0x10de", module: "nova_core", claim: "nova" };
/// The emulated Mali GPU.
pub(crate) const MALI: Kind = Kind { vendor: "0x13b5", module: "tyr", claim: "tyr" };

/// The display controller of a vendor, whatever driver is bound to it.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    kind: Kind,
    address: String,
}

impl Function {
    /// Returns the function, if it is on the bus.
    pub(crate) fn find(kind: Kind) -> Option<Self> {
        let listed = fs::read_dir(format!("{PCI}/devices")).ok()?.flatten();
        let fits = |folder: PathBuf| {
            let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
            read("vendor").trim() == kind.vendor && read("class").starts_with("0x03")
        };
        let mut found = listed.filter(|entry| fits(entry.path()));
        Some(Self { kind, address: found.next()?.file_name().to_string_lossy().into_owned() })
    }

    /// Returns the path of a file in the function's sysfs folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        Path::new(PCI).join("devices").join(&self.address).join(name)
    }

    /// Whether a driver is bound to the function.
    pub(crate) fn is_bound(&self) -> bool {
        self.path("driver").exists()
    }

    /// Binds the function to its module's driver.
    pub(crate) fn bind(&self) -> Answer {
        sys::write(&driver_file(PCI, self.kind.module, "bind")?, &self.address)
    }

    /// Unbinds the function from its module's driver.
    pub(crate) fn unbind(&self) -> Answer {
        sys::write(&driver_file(PCI, self.kind.module, "unbind")?, &self.address)
    }

    /// Removes the function from its bus, as if it had been pulled out.
    pub(crate) fn remove(&self) -> Answer {
        sys::write(&self.path("remove").to_string_lossy(), "1")
    }

    /// Returns the length of a BAR, from sysfs.
    pub(crate) fn bar_length(&self, bar: usize) -> Outcome<u64> {
        let text = fs::read_to_string(self.path("resource"))?;
        let range = text.lines().nth(bar).and_then(range_of);
        match range {
            Some((start, end)) => Ok(end - start + 1),
            None => fail(format!("BAR {bar} has no range in {text:?}")),
        }
    }

    /// Whether the driver has enabled the function, lets it access memory, and has claimed its registers.
    pub(crate) fn switched(&self) -> Outcome<[bool; 3]> {
        let enabled = fs::read_to_string(self.path("enable"))?.trim() != "0";
        let command = fs::read(self.path("config"))?[4];
        let claimed = fs::read_to_string("/proc/iomem")?.contains(self.kind.claim);
        Ok([enabled, command & 4 != 0, claimed])
    }
}

/// Rescans for functions that are not on the bus.
pub(crate) fn rescan() -> Outcome {
    crate::works!(sys::write(&format!("{PCI}/rescan"), "1"));
    Ok(())
}

/// Reads a file in the sysfs folder of a module's driver.
pub(crate) fn driver_file(bus: &str, module: &str, file: &str) -> Answer<String> {
    let listed = fs::read_dir(format!("{bus}/drivers")).map_err(|_| Errno::NOENT)?.flatten();
    let of_module = |folder: &PathBuf| {
        let link = fs::read_link(folder.join("module")).unwrap_or_default();
        link.file_name().is_some_and(|name| name == module)
    };
    let folder = listed.map(|entry| entry.path()).find(of_module).ok_or(Errno::NOENT)?;
    Ok(folder.join(file).to_string_lossy().into_owned())
}

/// Returns the first and the last address of a line of `resource`.
fn range_of(line: &str) -> Option<(u64, u64)> {
    let mut numbers = line.split(' ').map(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16));
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
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
