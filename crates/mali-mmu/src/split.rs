// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Counts the tables that are needed to split the blocks at both ends of a range.

use crate::geometry::{LAST_LEVEL, shift, span};

/// An end of a range that is unmapped.
#[derive(Clone, Copy)]
pub(crate) struct End {
    /// The address of the cut.
    pub(crate) va: u64,
    /// The level of the block that it may cut through, if there is a mapping.
    pub(crate) level: Option<u32>,
}

impl End {
    /// Whether the cut needs a new table of `level`.
    const fn takes(self, level: u32) -> bool {
        match self.level {
            Some(block) => block < level && self.va % span(level - 1) != 0,
            None => false,
        }
    }
}

/// Returns how many tables the cuts at both ends need. If both cut through the same block, they share tables.
pub(crate) fn tables_for(start: End, end: End) -> usize {
    let mut tables = 0;
    for level in 1..=LAST_LEVEL {
        let above = shift(level - 1);
        let (first, second) = (start.takes(level), end.takes(level));
        let shared = first && second && start.va >> above == end.va >> above;
        tables += usize::from(first) + usize::from(second) - usize::from(shared);
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_share_what_they_can() {
        let (page, block, large) = (0x1000, 0x20_0000, 0x4000_0000);
        let count = |start, start_level, end, end_level| {
            tables_for(End { va: start, level: start_level }, End { va: end, level: end_level })
        };
        assert_eq!(count(0, Some(1), large, None), 0);
        // These are a hole of a page in a block of 2 MiB, and in one of 1 GiB.
        assert_eq!(count(page, Some(2), 2 * page, Some(2)), 1);
        assert_eq!(count(page, Some(1), 2 * page, Some(1)), 2);
        // The cuts are in the same block of 1 GiB, but not in the same 2 MiB of it.
        assert_eq!(count(page, Some(1), block + page, Some(1)), 3);
        assert_eq!(count(block, Some(1), 2 * block, Some(1)), 1);
        // The cuts are in different blocks.
        assert_eq!(count(page, Some(1), large + page, Some(1)), 4);
        assert_eq!(count(page, Some(3), 2 * page, Some(3)), 0);
    }
}
