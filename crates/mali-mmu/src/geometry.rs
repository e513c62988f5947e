// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! How many levels tables have, and what an entry of each stands for.
//!
//! Source: Arm Architecture Reference Manual, "Translation granules", 4 KiB.

/// Bytes of a page, of a table, and the unit of all mappings.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;

/// Bytes of the smaller of the two kinds of blocks.
pub const BLOCK_SIZE: u64 = span(LAST_LEVEL - 1);

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

    /// The same for a range that is mapped in blocks of [`BLOCK_SIZE`], but for what of it is less at either end.
    pub const fn tables_for_blocks(self, va: u64, size: u64) -> usize {
        let end = va.saturating_add(size);
        let whole = (end / BLOCK_SIZE).saturating_sub(va.div_ceil(BLOCK_SIZE));
        self.tables_for_map(va, size) - whole as usize
    }

    /// The same for memory that is mapped piece by piece from `va` on, each of a physical address and a size: where blocks
    /// can be used, it takes fewer.
    pub fn tables_for_pieces(self, va: u64, pieces: impl Iterator<Item = (u64, u64)>) -> usize {
        let (mut tables, mut at) = (0, va);
        for (pa, size) in pieces.filter(|(_, size)| *size != 0) {
            let end = at.saturating_add(size);
            for level in self.root_level()..LAST_LEVEL {
                let span = span(level);
                // The last piece has counted what it shares with this one.
                let first = if at == va { at / span } else { at.div_ceil(span) };
                let in_blocks = if level != 0 && (at ^ pa) % span == 0 {
                    (end / span).saturating_sub(at.div_ceil(span))
                } else {
                    0
                };
                tables += end.div_ceil(span).saturating_sub(first) - in_blocks;
            }
            at = end;
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

    #[test]
    fn blocks_take_no_tables() {
        let geometry = Geometry::new(48, 40).unwrap();
        let (block, large) = (2 << 20, 1 << 30);
        let count = |va, pieces: &[(u64, u64)]| geometry.tables_for_pieces(va, pieces.iter().copied());
        assert_eq!(count(0, &[]), 0);
        // One of level 1 and one of level 2; one of level 1.
        assert_eq!(count(0, &[(block, 4 * block)]), 2);
        assert_eq!(count(large, &[(5 * large, large)]), 1);
        // The memory is not as aligned as the address: a table of level 3 for each 2 MiB.
        assert_eq!(count(0, &[(PAGE_SIZE, 4 * block)]), 2 + 4);
        // A block between two that are in pieces.
        assert_eq!(count(0, &[(0, PAGE_SIZE), (0, block - PAGE_SIZE), (block, block), (0, PAGE_SIZE)]), 2 + 2);
        assert_eq!(geometry.tables_for_blocks(block, 3 * block), 2);
        assert_eq!(geometry.tables_for_blocks(block - PAGE_SIZE, block + 2 * PAGE_SIZE), 2 + 2);
        assert_eq!(geometry.tables_for_blocks(PAGE_SIZE, PAGE_SIZE), 2 + 1);
        // A block, but in two pieces.
        assert_eq!(count(0, &[(0, block / 2), (block / 2, block / 2)]), 2 + 1);
    }
}
