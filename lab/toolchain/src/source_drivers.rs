// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Drivers in the kernel's source that the stock kernel is configured without. The lab builds them as external modules, so that
//! ours can be compared with them.
//!
//! All functions that they call are exported. Nothing of them is in the checkout: setting a kernel up keeps their folders of the
//! kernel's source package. Source: drivers/gpu/drm/vkms/Makefile; the configuration of Debian's kernels.

/// A driver that is built from the kernel's source.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceDriver {
    /// The name of its module. The command line calls it `c-NAME`.
    pub module: &'static str,
    /// Its folder in the kernel's source.
    pub(crate) folder: &'static str,
    /// The option that its Makefile asks for.
    pub(crate) option: &'static str,
}

/// All of them.
pub const SOURCE_DRIVERS: &[SourceDriver] =
    &[SourceDriver { module: "vkms", folder: "drivers/gpu/drm/vkms", option: "CONFIG_DRM_VKMS" }];

impl SourceDriver {
    /// Returns the one that the command line calls `c-NAME`.
    pub fn named(driver: &str) -> Option<&'static Self> {
        let module = driver.strip_prefix("c-")?.replace('-', "_");
        SOURCE_DRIVERS.iter().find(|driver| driver.module == module)
    }

    /// Returns its name on the command line.
    pub fn name(&self) -> String {
        format!("c-{}", self.module)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn driver_of_the_source_is_named_like_the_kernels_own() {
        assert_eq!(SourceDriver::named("c-vkms").unwrap().module, "vkms");
        assert!(SourceDriver::named("vkms").is_none() && SourceDriver::named("c-vgem").is_none());
        assert!(SOURCE_DRIVERS.iter().all(|driver| SourceDriver::named(&driver.name()) == Some(driver)));
    }
}
