// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Describes the drivers under test, finds their device nodes, and binds them.
//!
//! Source: `Documentation/driver-api/driver-model/`, the layout of `/sys/class/drm` and `/sys/bus/platform/drivers` of
//! a running kernel.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use sys::Answer;
use sys::nodes::{Device, driver_name};

use crate::harness::check::{Outcome, fail};
use crate::subjects::pci;

/// The driver whose device the cases open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Driver {
    /// Drydock's vgem, on a platform device.
    #[value(name = "vgem")]
    Rust,
    /// The vgem in the kernel's tree, on a faux device.
    #[value(name = "c-vgem")]
    C,
    /// Drydock's two drivers for an NVIDIA GPU; their cases find the device themselves (`crate::subjects::nova`).
    #[value(name = "nova")]
    Nova,
    /// Drydock's driver for a Mali GPU; its cases find the device themselves (`crate::subjects::tyr`).
    #[value(name = "tyr")]
    Tyr,
    /// Drydock's virtual display, on a platform device; its cases find the device themselves
    /// (`crate::subjects::display`).
    #[value(name = "vkms")]
    Vkms,
    /// The virtual display in the kernel's tree, on a faux device.
    #[value(name = "c-vkms")]
    CVkms,
}

impl Driver {
    /// The driver's name on the command line (`--driver`).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rust => "vgem",
            Self::C => "c-vgem",
            Self::Nova => "nova",
            Self::Tyr => "tyr",
            Self::Vkms => "vkms",
            Self::CVkms => "c-vkms",
        }
    }

    /// The driver with the same interface, for which the cases are named: ours.
    pub(crate) const fn subject(self) -> Self {
        match self {
            Self::C => Self::Rust,
            Self::CVkms => Self::Vkms,
            other => other,
        }
    }

    /// A driver that cannot be loaded beside this one.
    pub(crate) const fn other(self) -> Option<Self> {
        match self {
            Self::Rust => Some(Self::C),
            Self::C => Some(Self::Rust),
            Self::Vkms => Some(Self::CVkms),
            Self::CVkms => Some(Self::Vkms),
            Self::Nova | Self::Tyr => None,
        }
    }

    /// The emulated GPU that the driver needs, if any.
    pub(crate) const fn gpu(self) -> Option<pci::Kind> {
        match self {
            Self::Rust | Self::C | Self::Vkms | Self::CVkms => None,
            Self::Nova => Some(pci::NVIDIA),
            Self::Tyr => Some(pci::MALI),
        }
    }

    /// The name of the driver's module, which is also its file's name without the ending.
    pub(crate) const fn module(self) -> &'static str {
        match self {
            Self::Rust => "vgem_rust",
            Self::C => "vgem",
            Self::Nova => "nova_drm",
            Self::Tyr => "tyr",
            Self::Vkms => "vkms_rust",
            Self::CVkms => "vkms",
        }
    }

    /// The bus of the driver's parent device. It distinguishes two drivers whose DRM name is the same.
    pub(crate) const fn bus(self) -> &'static str {
        match self {
            Self::Rust | Self::Vkms => "platform",
            Self::C | Self::CVkms => "faux",
            Self::Nova => "auxiliary",
            Self::Tyr => "pci",
        }
    }

    /// The driver's name as DRM reports it. The drivers for GPUs have cases that need it in their own folders.
    pub(crate) const fn drm_name(self) -> &'static str {
        match self {
            Self::Rust | Self::C => "vgem",
            Self::Nova => "nova-drm",
            Self::Tyr => "panthor",
            Self::Vkms | Self::CVkms => "vkms",
        }
    }

    /// The driver's folder in sysfs, where it can be bound and unbound.
    const fn sysfs(self) -> Option<&'static str> {
        match self {
            Self::Rust => Some("/sys/bus/platform/drivers/vgem"),
            Self::C | Self::Nova | Self::Tyr | Self::Vkms | Self::CVkms => None,
        }
    }

    /// Whether the driver can be unbound at run time.
    pub(crate) const fn can_unbind(self) -> bool {
        self.sysfs().is_some()
    }

    /// Returns the nodes of the driver's device, if there is one with both.
    pub(crate) fn find(self) -> Option<Nodes> {
        Device::all().into_iter().find_map(|device| self.nodes_of(device))
    }

    fn nodes_of(self, device: Device) -> Option<Nodes> {
        if device.bus()? != self.bus() || driver_name(&device.primary).ok()? != self.drm_name() {
            return None;
        }
        Some(Nodes { render: device.render?, primary: device.primary, parent: device.parent })
    }

    /// Unbinds the driver from its device: the unplug of the life cycle.
    pub(crate) fn unbind(self) -> Answer {
        self.write("unbind")
    }

    /// Binds the driver to its device again.
    pub(crate) fn bind(self) -> Answer {
        self.write("bind")
    }

    fn write(self, file: &str) -> Answer {
        let folder = self.sysfs().ok_or(Errno::OPNOTSUPP)?;
        sys::write(&format!("{folder}/{file}"), "vgem")
    }
}

/// The paths of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nodes {
    /// `/dev/dri/cardN`
    pub(crate) primary: PathBuf,
    /// `/dev/dri/renderDN`
    pub(crate) render: PathBuf,
    /// The parent device in `/sys/devices`.
    pub(crate) parent: PathBuf,
}

/// Returns a node's device number (major and minor).
pub(crate) fn device_number(node: &Path) -> Answer<u64> {
    Ok(rustix::fs::stat(node)?.st_rdev)
}

/// Returns how many users a module has, or `None` if it is not loaded.
pub(crate) fn module_users(name: &str) -> Outcome<Option<u32>> {
    match fs::read_to_string(format!("/sys/module/{name}/refcnt")) {
        Ok(text) => match text.trim().parse() {
            Ok(users) => Ok(Some(users)),
            Err(_) => fail(format!("`{text}` is not the number of users of `{name}`")),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => fail(format!("the users of `{name}` cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_rust_driver_can_be_unbound() {
        assert!(Driver::Rust.can_unbind());
        assert_eq!(Driver::C.unbind(), Err(Errno::OPNOTSUPP));
    }
}
