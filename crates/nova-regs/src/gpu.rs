// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What the driver of the PCI function tells the drivers of the GPU's parts.

use crate::chip::Chip;
use crate::regs::Revision;

/// A GPU that was identified and is ready.
///
/// The one type that crosses from one module to the other; both are built from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// Which chip it is.
    pub chip: Chip,
    /// The chip's revision.
    pub revision: Revision,
    /// How much of VRAM can be reached through its BAR, in bytes.
    pub vram_bar_size: u64,
}
