// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The number of levels of tables, and the range of addresses of an entry on each.
//!
//! Source: Arm Architecture Reference Manual, "Translation granules", 4 KiB.

/// The size of a page, of a table, and the unit of all mappings, in bytes.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;

/// The size of the smaller of the two kinds of blocks, in bytes.
pub const BLOCK_SIZE: u64 = span(LAST_LEVEL - 1);

const PAGE_SHIFT: u32 = 12;

/// The number of an address's bits that select an entry of a table.
const TABLE_BITS: u32 = 9;

/// The number of entries of a table.
pub(crate) const ENTRIES: usize = 1 << TABLE_BITS;

/// The level whose entries are pages.
pub(crate) const LAST_LEVEL: u32 = 3;

/// The widths of addresses, which determine the shape of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    va_bits: u32,
    pa_bits: u32,
}

impl Geometry {
    /// Returns the geometry for virtual addresses of 25 to 48 bits and physical ones of 32 to 48. The format has no
    /// other widths.
    pub const fn new(va_bits: u32, pa_bits: u32) -> Option<Self> {
        match (va_bits, pa_bits) {
            (25..=48, 32..=48) => Some(Self { va_bits, pa_bits }),
            _ => None,
        }
    }

    /// Returns the first virtual address beyond the last.
    pub const fn va_end(self) -> u64 {
        1 << self.va_bits
    }

    /// Returns the first physical address beyond the last.
    pub const fn pa_end(self) -> u64 {
        1 << self.pa_bits
    }

    /// Returns the level of the root table: the last level where one table spans all addresses.
    pub(crate) const fn root_level(self) -> u32 {
        LAST_LEVEL - (self.va_bits - 1 - PAGE_SHIFT) / TABLE_BITS
    }

    /// Returns how many tables, without the root, mapping `size` bytes from `va` may need. A caller that cannot
    /// allocate later allocates them ahead.
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

    /// Returns the same for a range that is mapped in blocks of [`BLOCK_SIZE`], except for smaller parts at either end.
    pub const fn tables_for_blocks(self, va: u64, size: u64) -> usize {
        let end = va.saturating_add(size);
        let whole = (end / BLOCK_SIZE).saturating_sub(va.div_ceil(BLOCK_SIZE));
        self.tables_for_map(va, size) - whole as usize
    }

    /// Returns the same for memory that is mapped piece by piece from `va` on, each with a physical address and a size.
    /// Where blocks can be used, fewer tables are needed.
    pub fn tables_for_pieces(self, va: u64, pieces: impl Iterator<Item = (u64, u64)>) -> usize {
        let (mut tables, mut at) = (0, va);
        for (pa, size) in pieces.filter(|(_, size)| *size != 0) {
            let end = at.saturating_add(size);
            for level in self.root_level()..LAST_LEVEL {
                let span = span(level);
                // The table shared with this piece was counted with the previous one.
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

    /// Returns how many tables unmapping a range may need at most: two at each end, to split a block of 1 GiB down to
    /// pages.
    pub const fn tables_for_unmap(self) -> usize {
        4
    }
}

/// Returns the logarithm of the bytes that an entry of `level` spans.
pub(crate) const fn shift(level: u32) -> u32 {
    PAGE_SHIFT + TABLE_BITS * (LAST_LEVEL - level)
}

/// Returns the bytes that an entry of `level` spans.
pub(crate) const fn span(level: u32) -> u64 {
    1 << shift(level)
}

/// Returns the index of the entry for `va` in its table of `level`.
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
        // Two pages around 1 GiB need one table of level 1, and two each of levels 2 and 3.
        assert_eq!(geometry.tables_for_map((1 << 30) - PAGE_SIZE, 2 * PAGE_SIZE), 5);
    }

    #[test]
    fn blocks_take_no_tables() {
        let geometry = Geometry::new(48, 40).unwrap();
        let (block, large) = (2 << 20, 1 << 30);
        let count = |va, pieces: &[(u64, u64)]| geometry.tables_for_pieces(va, pieces.iter().copied());
        assert_eq!(count(0, &[]), 0);
        // The first needs one table of level 1 and one of level 2, the second one of level 1.
        assert_eq!(count(0, &[(block, 4 * block)]), 2);
        assert_eq!(count(large, &[(5 * large, large)]), 1);
        // The memory is less aligned than the address, so each 2 MiB needs a table of level 3.
        assert_eq!(count(0, &[(PAGE_SIZE, 4 * block)]), 2 + 4);
        // A block is between two blocks in pieces.
        assert_eq!(count(0, &[(0, PAGE_SIZE), (0, block - PAGE_SIZE), (block, block), (0, PAGE_SIZE)]), 2 + 2);
        assert_eq!(geometry.tables_for_blocks(block, 3 * block), 2);
        assert_eq!(geometry.tables_for_blocks(block - PAGE_SIZE, block + 2 * PAGE_SIZE), 2 + 2);
        assert_eq!(geometry.tables_for_blocks(PAGE_SIZE, PAGE_SIZE), 2 + 1);
        // A block is in two pieces.
        assert_eq!(count(0, &[(0, block / 2), (block / 2, block / 2)]), 2 + 1);
    }
}
