// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! How many levels tables have, and what an entry of each stands for.
//!
//! Source: Arm Architecture Reference Manual, "Translation granules", 4 KiB.

/// Bytes of a page, of a table, and the unit of all mappings.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;

const PAGE_SHIFT: u32 = 12;

/// Bits of an address that a table decides.
const TABLE_BITS: u32 = 9;

/// Entries of a table.
pub(crate) const ENTRIES: usize = 1 << TABLE_BITS;

/// The level whose entries are pages.
pub(crate) const LAST_LEVEL: u32 = 3;

/// The widths of addresses, and with them the shape of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    va_bits: u32,
    pa_bits: u32,
}

impl Geometry {
    /// Virtual addresses of 25 to 48 bits, physical ones of 32 to 48; other widths the format does not have.
    pub const fn new(va_bits: u32, pa_bits: u32) -> Option<Self> {
        match (va_bits, pa_bits) {
            (25..=48, 32..=48) => Some(Self { va_bits, pa_bits }),
            _ => None,
        }
    }

    /// The first virtual address beyond the last.
    pub const fn va_end(self) -> u64 {
        1 << self.va_bits
    }

    /// The first physical address beyond the last.
    pub const fn pa_end(self) -> u64 {
        1 << self.pa_bits
    }

    /// The level of the root table: the last whose one table spans all addresses.
    pub(crate) const fn root_level(self) -> u32 {
        LAST_LEVEL - (self.va_bits - 1 - PAGE_SHIFT) / TABLE_BITS
    }

    /// How many tables, the root not among them, mapping `size` bytes from `va` may take: what a caller that cannot allocate
    /// later sets aside.
    pub const fn tables_for_map(self, va: u64, size: u64) -> usize {
        if size == 0 {
            return 0;
        }
        let last = va.saturating_add(size - 1);
        let mut tables = 0;
        let mut level = self.root_level();
        while level < LAST_LEVEL {
            tables += (last >> shift(level)) - (va >> shift(level)) + 1;
            level += 1;
        }
        tables as usize
    }

    /// How many tables unmapping a range may take at most: two at each end, to split a block of 1 GiB down to pages.
    pub const fn tables_for_unmap(self) -> usize {
        4
    }
}

/// Logarithm of the bytes that an entry of `level` stands for.
pub(crate) const fn shift(level: u32) -> u32 {
    PAGE_SHIFT + TABLE_BITS * (LAST_LEVEL - level)
}

/// Bytes that an entry of `level` stands for.
pub(crate) const fn span(level: u32) -> u64 {
    1 << shift(level)
}

/// Which entry of its table of `level` stands for `va`.
pub(crate) const fn index(level: u32, va: u64) -> usize {
    (va >> shift(level)) as usize % ENTRIES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_no_higher_than_it_must_be() {
        let level = |va_bits| Geometry::new(va_bits, 40).unwrap().root_level();
        assert_eq!((level(48), level(40), level(39), level(31), level(30), level(25)), (0, 0, 1, 1, 2, 2));
        assert_eq!((Geometry::new(49, 40), Geometry::new(48, 31), Geometry::new(24, 40)), (None, None, None));
    }

    #[test]
    fn tables_are_counted_level_by_level() {
        let geometry = Geometry::new(48, 40).unwrap();
        assert_eq!(geometry.tables_for_map(0, 0), 0);
        assert_eq!(geometry.tables_for_map(0, PAGE_SIZE), 3);
        // Two pages around 1 GiB: one table of level 1, two each of levels 2 and 3.
        assert_eq!(geometry.tables_for_map((1 << 30) - PAGE_SIZE, 2 * PAGE_SIZE), 5);
    }
}
