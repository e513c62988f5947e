// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The module's parameters, checked.

use crate::module_parameters as parameters;
use kernel::prelude::*;

/// The objects of each device.
pub(crate) struct Config {
    pub(crate) outputs: u8,
    pub(crate) cursor: bool,
    /// Overlay planes of each output.
    pub(crate) overlays: u8,
    /// A render node, and the ioctls of vgem.
    pub(crate) render_node: bool,
}

impl Config {
    /// Returns the number of planes of each device.
    pub(crate) fn planes(&self) -> u32 {
        u32::from(self.outputs) * (1 + u32::from(self.cursor) + u32::from(self.overlays))
    }
}

/// The most outputs that a device can have: it has 32 planes, and an output has two.
pub(crate) const MAX_OUTPUTS: usize = 16;

/// Returns the number of devices.
///
/// Fails with `EINVAL` for a wrong parameter, so that the module is not loaded.
pub(crate) fn devices() -> Result<usize> {
    config()?;
    Ok(usize::from(checked(
        "devices",
        parameters::devices.value(),
        0,
        32,
    )?))
}

/// Returns the configuration of each device.
///
/// Fails with `EINVAL` for a wrong parameter, and for more planes than a device can have.
pub(crate) fn config() -> Result<Config> {
    let config = Config {
        outputs: checked("outputs", parameters::outputs.value(), 1, MAX_OUTPUTS as u8)?,
        cursor: parameters::enable_cursor.value(),
        overlays: checked("enable_overlay", parameters::enable_overlay.value(), 0, 8)?,
        render_node: parameters::render_node.value(),
    };
    let planes = config.planes();
    if planes > 32 {
        pr_err!(
            "these parameters make {} planes; a device has at most 32\n",
            planes
        );
        return Err(EINVAL);
    }
    Ok(config)
}

fn checked(name: &str, value: u8, min: u8, max: u8) -> Result<u8> {
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    pr_err!("parameter {}={} must be {} to {}\n", name, value, min, max);
    Err(EINVAL)
}
