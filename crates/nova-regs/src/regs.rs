// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Registers of BAR0, each a type of its 32 bits.
//!
//! Source: Linux 7.3, `drivers/gpu/nova-core/regs.rs`, sections PMC and PGC6.

/// A register of BAR0, 32 bits wide.
pub trait Register: Copy + From<u32> + Into<u32> {
    /// The offset in bytes from the start of BAR0.
    const OFFSET: usize;
    /// The name in its manual.
    const NAME: &'static str;
}

/// The value that a read returns when there is no device to answer.
pub const ABSENT: u32 = u32::MAX;

/// Declares register types: name, offset, and the name in the manual.
macro_rules! registers {
    ($($(#[$doc:meta])* $name:ident @ $offset:literal = $manual:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name(u32);

            impl Register for $name {
                const OFFSET: usize = $offset;
                const NAME: &'static str = $manual;
            }

            impl From<u32> for $name {
                #[inline]
                fn from(raw: u32) -> Self {
                    Self(raw)
                }
            }

            impl From<$name> for u32 {
                #[inline]
                fn from(register: $name) -> u32 {
                    register.0
                }
            }
        )*

        /// All registers of this map: offset and name, by offset.
        pub const ALL: &[(usize, &str)] = &[$(($offset, $manual)),*];
    };
}

registers! {
    /// The chip's identity, for chips of all generations before Rubin.
    PmcBoot0 @ 0x0000_0000 = "NV_PMC_BOOT_0";
    /// The chip's identity, from Fermi on; drivers for Turing and later use it.
    PmcBoot42 @ 0x0000_0a00 = "NV_PMC_BOOT_42";
    /// The access rights to [`GfwBoot`].
    GfwBootPrivLevelMask @ 0x0011_8128 = "NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_PRIV_LEVEL_MASK";
    /// The progress of the GPU's own firmware. Must be read only when [`GfwBootPrivLevelMask`] allows it.
    GfwBoot @ 0x0011_8234 = "NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT";
}

/// Returns the bits `high..=low` of `raw`, which are at most eight.
const fn field(raw: u32, high: u32, low: u32) -> u8 {
    ((raw >> low) & ((1 << (high - low + 1)) - 1)) as u8
}

impl PmcBoot0 {
    /// The architecture of GF100, the first Fermi, in [`architecture`](Self::architecture).
    const FERMI: u8 = 0xc;

    /// Returns the register of a chip, with a `revision` of which both halves have four bits.
    ///
    /// The chip must fit: its architecture's number has six bits.
    #[must_use]
    pub const fn new(architecture: u8, implementation: u8, revision: Revision) -> Self {
        let low = (architecture & 0x1f) as u32;
        let high = (architecture >> 5 & 1) as u32;
        let implementation = (implementation & 0xf) as u32;
        Self(low << 24 | implementation << 20 | high << 8 | (revision.major() as u32) << 4 | revision.minor() as u32)
    }

    /// Returns the architecture's number, all six bits of it.
    #[must_use]
    pub const fn architecture(self) -> u8 {
        field(self.0, 8, 8) << 5 | field(self.0, 28, 24)
    }

    /// Returns the chip's number in its architecture.
    #[must_use]
    pub const fn implementation(self) -> u8 {
        field(self.0, 23, 20)
    }

    /// Returns the chip's revision.
    #[must_use]
    pub const fn revision(self) -> Revision {
        Revision::new(field(self.0, 7, 4), field(self.0, 3, 0))
    }

    /// Whether the chip is so old that [`PmcBoot42`] may not exist.
    #[must_use]
    pub const fn is_older_than_fermi(self) -> bool {
        self.architecture() < Self::FERMI
    }

    /// Whether the device did not answer: it is gone, or asleep.
    #[must_use]
    pub const fn is_absent(self) -> bool {
        self.0 == ABSENT
    }
}

impl PmcBoot42 {
    /// Returns the register of a chip.
    #[must_use]
    pub const fn new(architecture: u8, implementation: u8, revision: Revision) -> Self {
        let architecture = (architecture & 0x3f) as u32;
        let implementation = (implementation & 0xf) as u32;
        let (major, minor) = (revision.major() as u32, revision.minor() as u32);
        Self(architecture << 24 | implementation << 20 | major << 16 | minor << 12)
    }

    /// Returns the architecture's number.
    #[must_use]
    pub const fn architecture(self) -> u8 {
        field(self.0, 29, 24)
    }

    /// Returns the chip's number in its architecture.
    #[must_use]
    pub const fn implementation(self) -> u8 {
        field(self.0, 23, 20)
    }

    /// Returns the chip's revision.
    #[must_use]
    pub const fn revision(self) -> Revision {
        Revision::new(field(self.0, 19, 16), field(self.0, 15, 12))
    }

    /// Returns architecture and implementation as one number, which is unique to a chip: [`Chip::id`](crate::Chip::id).
    #[must_use]
    pub const fn chip_id(self) -> u16 {
        (self.architecture() as u16) << 4 | self.implementation() as u16
    }
}

impl GfwBootPrivLevelMask {
    /// Returns the register for a driver that may, or may not, read [`GfwBoot`].
    #[must_use]
    pub const fn new(readable: bool) -> Self {
        Self(readable as u32)
    }

    /// Whether a driver may read [`GfwBoot`]: the GPU's firmware has lowered the protection.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        field(self.0, 0, 0) == 1
    }
}

impl GfwBoot {
    /// The progress that means that the firmware has finished.
    pub const COMPLETED: u8 = 0xff;

    /// Returns the register at some progress.
    #[must_use]
    pub const fn new(progress: u8) -> Self {
        Self(progress as u32)
    }

    /// Returns the progress of the firmware.
    #[must_use]
    pub const fn progress(self) -> u8 {
        field(self.0, 7, 0)
    }

    /// Whether the firmware has finished, so that a driver may continue.
    #[must_use]
    pub const fn is_completed(self) -> bool {
        self.progress() == Self::COMPLETED
    }
}

/// The revision of a chip: `a.1` is major 0xa, minor 1. Shown as the kernel's driver shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision {
    major: u8,
    minor: u8,
}

impl Revision {
    /// Returns a revision. Four bits of both numbers count.
    #[must_use]
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major: major & 0xf, minor: minor & 0xf }
    }

    /// Returns the number that changes with the masks of the silicon.
    #[must_use]
    pub const fn major(self) -> u8 {
        self.major
    }

    /// Returns the number that changes with the metal.
    #[must_use]
    pub const fn minor(self) -> u8 {
        self.minor
    }
}

impl core::fmt::Display for Revision {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:x}.{:x}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::ToString;

    const A1: Revision = Revision::new(0xa, 1);

    #[test]
    fn registers_of_a_real_ga102() {
        // nouveau prints this for a GeForce RTX 3090: "NVIDIA GA102 (b72000a1)". The top bits belong to no field.
        let boot0 = PmcBoot0::from(0xb720_00a1);
        assert_eq!((boot0.architecture(), boot0.implementation()), (0x17, 2));
        assert_eq!(boot0.revision(), A1);
        assert_eq!(u32::from(PmcBoot0::new(0x17, 2, A1)), 0x1720_00a1);
        let boot42 = PmcBoot42::new(0x17, 2, A1);
        assert_eq!(u32::from(boot42), 0x172a_1000);
        assert_eq!(boot42.chip_id(), 0x172);
    }

    #[test]
    fn every_field_survives_its_encoding() {
        for architecture in 0..0x40 {
            for implementation in 0..0x10 {
                for revision in (0..=0xff).map(|both: u8| Revision::new(both >> 4, both)) {
                    let boot0 = PmcBoot0::new(architecture, implementation, revision);
                    let of_0 = (boot0.architecture(), boot0.implementation(), boot0.revision());
                    assert_eq!(of_0, (architecture, implementation, revision));
                    let boot42 = PmcBoot42::new(architecture, implementation, revision);
                    let of_42 = (boot42.architecture(), boot42.implementation(), boot42.revision());
                    assert_eq!(of_42, (architecture, implementation, revision));
                }
            }
        }
    }

    #[test]
    fn only_a_full_progress_is_completed() {
        let completed: std::vec::Vec<_> =
            (0..=0xff).filter(|progress| GfwBoot::new(*progress).is_completed()).collect();
        assert_eq!(completed, [GfwBoot::COMPLETED]);
        // Other bits of the word do not matter.
        assert!(GfwBoot::from(0x1234_56ff).is_completed());
        assert!(!GfwBootPrivLevelMask::from(!1).is_readable());
        assert!(GfwBootPrivLevelMask::from(0x8000_0001).is_readable());
    }

    #[test]
    fn only_all_ones_mean_an_absent_gpu() {
        assert!(PmcBoot0::from(u32::MAX).is_absent());
        assert!([0, 0xb720_00a1, u32::MAX - 1].into_iter().all(|word| !PmcBoot0::from(word).is_absent()));
    }

    #[test]
    fn before_fermi() {
        assert!(PmcBoot0::from(0x0a50_00a2).is_older_than_fermi()); // GT200
        assert!(!PmcBoot0::from(0x0c00_00a3).is_older_than_fermi()); // GF100
        assert!(!PmcBoot0::new(0x20, 0, A1).is_older_than_fermi()); // beyond five bits
    }

    #[test]
    fn the_map_is_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(ALL.iter().all(|(offset, _)| offset % 4 == 0 && *offset < crate::pci::REGISTERS_SIZE));
    }

    #[test]
    fn a_revision_reads_as_in_the_log() {
        assert_eq!(A1.to_string(), "a.1");
    }
}
