// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Data that the PCI function's driver lends to the drivers of the GPU's parts.

use crate::chip::Chip;
use crate::regs::{PmcBoot42, Revision};

/// A GPU that was identified and is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// The chip.
    pub chip: Chip,
    /// The chip's revision.
    pub revision: Revision,
    /// The size of VRAM that can be accessed through its BAR, in bytes.
    pub vram_bar_size: u64,
}

/// A [`Gpu`] as numbers: the word of its register [`PmcBoot42`], and the size of its VRAM BAR in bytes.
///
/// These numbers are lent from one module to the other. A `Gpu` cannot be: its chip has a name, which is located in the
/// module that made it.
pub type Words = (u32, u64);

impl Gpu {
    /// Returns the numbers to lend to another driver.
    #[must_use]
    pub fn words(&self) -> Words {
        (self.chip.boot42(self.revision).into(), self.vram_bar_size)
    }

    /// Returns the GPU with these numbers, or `None` if they are of no known chip.
    #[must_use]
    pub fn from_words((boot42, vram_bar_size): Words) -> Option<Self> {
        let boot42 = PmcBoot42::from(boot42);
        let chip = Chip::identify(boot42)?;
        Some(Self { chip, revision: boot42.revision(), vram_bar_size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chip_survives_its_encoding() {
        for &chip in Chip::ALL {
            let gpu = Gpu { chip, revision: Revision::new(0xa, 1), vram_bar_size: 1 << 28 };
            assert_eq!(Gpu::from_words(gpu.words()), Some(gpu));
        }
        assert_eq!(Gpu::from_words((0, 1 << 28)), None);
    }
}
