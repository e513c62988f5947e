// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The chips that can be identified, and how each reports that it is ready.
//!
//! Source: Linux 7.3, `drivers/gpu/nova-core/gpu.rs` (names and numbers), `gpu/hal/{tu102,gh100}.rs` (readiness).

use crate::regs::{PmcBoot0, PmcBoot42, Revision};

/// A generation of GPUs. The numbers are those of [`PmcBoot42::architecture`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Architecture {
    /// 2018.
    Turing = 0x16,
    /// 2020.
    Ampere = 0x17,
    /// 2022, for computing.
    Hopper = 0x18,
    /// 2022.
    Ada = 0x19,
    /// 2024, for computing.
    BlackwellGB10x = 0x1a,
    /// 2025.
    BlackwellGB20x = 0x1b,
}

/// The condition for which a driver waits before it may use the GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The scratch register [`GfwBoot`](crate::regs::GfwBoot).
    Gfw,
    /// A processor of the GPU with which the driver must communicate (FSP).
    Fsp,
}

impl Architecture {
    /// Returns how GPUs of this generation report that they are ready.
    #[must_use]
    pub const fn readiness(self) -> Readiness {
        match self {
            Self::Turing | Self::Ampere | Self::Ada => Readiness::Gfw,
            Self::Hopper | Self::BlackwellGB10x | Self::BlackwellGB20x => Readiness::Fsp,
        }
    }
}

/// A chip, identified by its [`id`](Chip::id).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chip {
    name: &'static str,
    architecture: Architecture,
    implementation: u8,
}

macro_rules! chips {
    ($($architecture:ident: $($name:ident = $implementation:literal),*;)*) => {
        impl Chip {
            $($(
                #[doc = concat!("Of the generation ", stringify!($architecture), ".")]
                pub const $name: Self = Self {
                    name: stringify!($name),
                    architecture: Architecture::$architecture,
                    implementation: $implementation,
                };
            )*)*

            /// All chips.
            pub const ALL: &[Self] = &[$($(Self::$name),*),*];
        }
    };
}

chips! {
    Turing: TU102 = 0x2, TU104 = 0x4, TU106 = 0x6, TU117 = 0x7, TU116 = 0x8;
    Ampere: GA100 = 0x0, GA102 = 0x2, GA103 = 0x3, GA104 = 0x4, GA106 = 0x6, GA107 = 0x7;
    Hopper: GH100 = 0x0;
    Ada: AD102 = 0x2, AD103 = 0x3, AD104 = 0x4, AD106 = 0x6, AD107 = 0x7;
    BlackwellGB10x: GB100 = 0x0, GB102 = 0x2;
    BlackwellGB20x: GB202 = 0x2, GB203 = 0x3, GB205 = 0x5, GB206 = 0x6, GB207 = 0x7;
}

impl Chip {
    /// Returns the chip that a register identifies, if it is known.
    #[must_use]
    pub fn identify(boot42: PmcBoot42) -> Option<Self> {
        Self::ALL.iter().copied().find(|chip| chip.id() == boot42.chip_id())
    }

    /// Returns the chip's name, such as `GA102`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Returns the chip's generation.
    #[must_use]
    pub const fn architecture(self) -> Architecture {
        self.architecture
    }

    /// Returns the chip's number in its generation.
    #[must_use]
    pub const fn implementation(self) -> u8 {
        self.implementation
    }

    /// Returns a number that is unique to the chip, such as `0x172`.
    #[must_use]
    pub const fn id(self) -> u16 {
        (self.architecture as u16) << 4 | self.implementation as u16
    }

    /// Returns the chip's value of [`PmcBoot0`].
    #[must_use]
    pub const fn boot0(self, revision: Revision) -> PmcBoot0 {
        PmcBoot0::new(self.architecture as u8, self.implementation, revision)
    }

    /// Returns the chip's value of [`PmcBoot42`].
    #[must_use]
    pub const fn boot42(self, revision: Revision) -> PmcBoot42 {
        PmcBoot42::new(self.architecture as u8, self.implementation, revision)
    }
}

impl core::fmt::Debug for Chip {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn chip_is_identified_by_its_registers() {
        for chip in Chip::ALL {
            let revision = Revision::new(0xa, 1);
            assert_eq!(Chip::identify(chip.boot42(revision)), Some(*chip));
            assert_eq!(chip.boot0(revision).architecture(), chip.architecture() as u8);
            assert_eq!(chip.boot0(revision).implementation(), chip.implementation());
        }
    }

    #[test]
    fn no_two_chips_are_one() {
        assert_eq!(Chip::ALL.iter().map(|chip| chip.id()).collect::<BTreeSet<_>>().len(), Chip::ALL.len());
        assert_eq!(Chip::ALL.iter().map(|chip| chip.name()).collect::<BTreeSet<_>>().len(), Chip::ALL.len());
    }

    #[test]
    fn unknown_ids_are_no_chip() {
        let revision = Revision::new(0xa, 1);
        let volta = PmcBoot42::new(0x14, 0, revision);
        let gap = PmcBoot42::new(0x17, 1, revision);
        assert_eq!((Chip::identify(volta), Chip::identify(gap)), (None, None));
        // A device that is gone reads like this.
        assert_eq!(Chip::identify(PmcBoot42::from(crate::regs::ABSENT)), None);
    }

    #[test]
    fn numbers_from_the_kernels_table() {
        assert_eq!(
            (Chip::TU102.id(), Chip::GA102.id(), Chip::AD102.id(), Chip::GB202.id()),
            (0x162, 0x172, 0x192, 0x1b2)
        );
    }
}
