// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! An entry of a table.
//!
//! Source: Arm Architecture Reference Manual, "VMSAv8-64 Block descriptor and Page descriptor formats".

use crate::geometry::LAST_LEVEL;

const VALID: u64 = 1 << 0;
/// In a valid entry: a table, or on the last level a page. Without this bit the entry is a block.
const TABLE_OR_PAGE: u64 = 1 << 1;
const ATTR_INDEX_SHIFT: u32 = 2;
/// AP[1]: unprivileged accesses are allowed. All of the GPU's accesses are unprivileged.
const UNPRIVILEGED: u64 = 1 << 6;
/// AP[2].
const READ_ONLY: u64 = 1 << 7;
const OUTER_SHAREABLE: u64 = 2 << 8;
const INNER_SHAREABLE: u64 = 3 << 8;
const ACCESS_FLAG: u64 = 1 << 10;
const NOT_GLOBAL: u64 = 1 << 11;
/// Neither privileged nor unprivileged code may execute it.
const NO_EXECUTE: u64 = 3 << 53;
/// Bits 47 to 12.
pub(crate) const ADDRESS: u64 = ((1 << 48) - 1) & !0xfff;

/// Kinds of memory, by their index in `AS_MEMATTR`, as a driver sets it up.
pub mod memory {
    /// Not cached by the GPU.
    pub const UNCACHED: u8 = 0;
    /// Cached by the GPU.
    pub const CACHED: u8 = 1;
}

/// The allowed uses of memory through a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// The memory cannot be written.
    pub read_only: bool,
    /// The memory cannot be executed.
    pub no_execute: bool,
    /// The kind of memory, one of eight: an index into `AS_MEMATTR`, as in [`memory`].
    pub memory: u8,
}

impl Attributes {
    const fn bits(self) -> u64 {
        let shareable = if self.memory == memory::CACHED { INNER_SHAREABLE } else { OUTER_SHAREABLE };
        let read_only = if self.read_only { READ_ONLY } else { 0 };
        let no_execute = if self.no_execute { NO_EXECUTE } else { 0 };
        ((self.memory & 7) as u64) << ATTR_INDEX_SHIFT | shareable | read_only | no_execute
    }

    const fn from_bits(bits: u64) -> Self {
        Self {
            read_only: bits & READ_ONLY != 0,
            no_execute: bits & NO_EXECUTE != 0,
            memory: (bits >> ATTR_INDEX_SHIFT & 7) as u8,
        }
    }
}

/// The meaning of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Nothing is mapped.
    Invalid,
    /// The address of a table of the next level.
    Table(u64),
    /// Mapped memory.
    Leaf(Leaf),
}

/// An entry that maps memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) address: u64,
    pub(crate) attributes: Attributes,
    /// The access flag. Without it the first access faults.
    pub(crate) accessed: bool,
    /// Whether unprivileged accesses, and so the GPU's, are allowed.
    pub(crate) unprivileged: bool,
}

impl Leaf {
    pub(crate) const fn new(address: u64, attributes: Attributes) -> Self {
        Self { address, attributes, accessed: true, unprivileged: true }
    }
}

impl Entry {
    /// Returns the meaning of an entry's bits in a table of `level`. Reserved encodings are invalid, as they are for
    /// hardware. An address that is not aligned to the entry's size has its lower bits ignored.
    pub(crate) const fn decode(level: u32, bits: u64) -> Self {
        if bits & VALID == 0 {
            return Self::Invalid;
        }
        match (level, bits & TABLE_OR_PAGE != 0) {
            (LAST_LEVEL, true) | (1..LAST_LEVEL, false) => Self::Leaf(Leaf {
                address: bits & ADDRESS & !(crate::geometry::span(level) - 1),
                attributes: Attributes::from_bits(bits),
                accessed: bits & ACCESS_FLAG != 0,
                unprivileged: bits & UNPRIVILEGED != 0,
            }),
            (0..LAST_LEVEL, true) => Self::Table(bits & ADDRESS),
            _ => Self::Invalid,
        }
    }

    /// Returns the bits of this entry in a table of `level`.
    pub(crate) const fn encode(self, level: u32) -> u64 {
        match self {
            Self::Invalid => 0,
            Self::Table(address) => address | VALID | TABLE_OR_PAGE,
            Self::Leaf(leaf) => {
                let page = if level == LAST_LEVEL { TABLE_OR_PAGE } else { 0 };
                let accessed = if leaf.accessed { ACCESS_FLAG } else { 0 };
                let unprivileged = if leaf.unprivileged { UNPRIVILEGED } else { 0 };
                leaf.address | leaf.attributes.bits() | VALID | NOT_GLOBAL | page | accessed | unprivileged
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_have_the_bits_of_the_kernels_own_format() {
        // `io-pgtable-arm.c` makes these bits for a writable, cached, not executable page: nG, AP_UNPRIV, AF, SH_IS,
        // index 1, XN.
        let attributes = Attributes { read_only: false, no_execute: true, memory: memory::CACHED };
        let page = Entry::Leaf(Leaf::new(0x12_3456_7000, attributes)).encode(3);
        assert_eq!(page, 0x12_3456_7000 | 3 | 1 << 2 | 1 << 6 | 3 << 8 | 1 << 10 | 1 << 11 | 3 << 53);
        // A read-only, uncached, executable block: SH_OS, index 0, RDONLY.
        let attributes = Attributes { read_only: true, no_execute: false, memory: memory::UNCACHED };
        let block = Entry::Leaf(Leaf::new(0x4020_0000, attributes)).encode(2);
        assert_eq!(block, 0x4020_0000 | 1 | 1 << 6 | 1 << 7 | 2 << 8 | 1 << 10 | 1 << 11);
    }

    #[test]
    fn reserved_encodings_are_invalid() {
        // Blocks do not exist on level 0, nor on level 3.
        assert_eq!((Entry::decode(0, 0x1001), Entry::decode(3, 0x1001)), (Entry::Invalid, Entry::Invalid));
        assert_eq!(Entry::decode(0, 0x1003), Entry::Table(0x1000));
        assert_eq!(Entry::decode(2, !1), Entry::Invalid);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            level in 1u32..4, address: u64, read_only: bool, no_execute: bool, memory in 0u8..8,
        ) {
            let attributes = Attributes { read_only, no_execute, memory };
            let address = address & ADDRESS & !(crate::geometry::span(level) - 1);
            let leaf = Entry::Leaf(Leaf::new(address, attributes));
            prop_assert_eq!(Entry::decode(level, leaf.encode(level)), leaf);
        }

        #[test]
        fn any_bits_are_an_entry(level in 0u32..4, bits: u64) {
            if let Entry::Leaf(leaf) = Entry::decode(level, bits) {
                prop_assert_eq!(leaf.address % crate::geometry::span(level), 0);
            }
        }
    }
}
