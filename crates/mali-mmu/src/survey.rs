// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Visits everything that tables map, for tests and tools.

use crate::entry::{Entry, Leaf};
use crate::geometry::{ENTRIES, Geometry, LAST_LEVEL, span};
use crate::walk::Translation;

/// The reason why a survey failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SurveyError<E> {
    /// An entry could not be read.
    Read {
        /// The entry's physical address.
        at: u64,
        /// The reader's error.
        error: E,
    },
    /// There are more tables than allowed: they may form a cycle.
    TooMany,
}

/// Visits the tables below `root` in the order of virtual addresses. `read` reads the eight bytes of an entry at a
/// physical address. `visit` gets each mapped page and block with its virtual address, whether its access flag is set
/// or not.
///
/// Returns the number of tables of each level, including the root. At most `most` tables are read.
pub fn survey<E>(
    geometry: Geometry,
    root: u64,
    most: usize,
    mut read: impl FnMut(u64) -> Result<u64, E>,
    mut visit: impl FnMut(u64, Translation),
) -> Result<[u64; 4], SurveyError<E>> {
    let mut tables = [0; 4];
    let mut left = most;
    // For each level this has the current table, the virtual address of its first entry, and the index of the next
    // entry.
    let mut path = [(0, 0, ENTRIES); LAST_LEVEL as usize + 1];
    let first = geometry.root_level();
    let mut level = first;
    let mut enter = |tables: &mut [u64; 4], level: u32| {
        left = left.checked_sub(1).ok_or(SurveyError::TooMany)?;
        tables[level as usize] += 1;
        Ok(())
    };
    enter(&mut tables, level)?;
    path[level as usize] = (root, 0, 0);
    loop {
        let (table, base, index) = path[level as usize];
        let va = base + index as u64 * span(level);
        if index == ENTRIES || va >= geometry.va_end() {
            if level == first {
                return Ok(tables);
            }
            level -= 1;
            continue;
        }
        path[level as usize].2 += 1;
        let at = table + 8 * index as u64;
        match Entry::decode(level, read(at).map_err(|error| SurveyError::Read { at, error })?) {
            Entry::Invalid => {}
            Entry::Table(next) => {
                level += 1;
                enter(&mut tables, level)?;
                path[level as usize] = (next, va, 0);
            }
            Entry::Leaf(Leaf { address, attributes, .. }) => {
                visit(va, Translation { address, length: span(level), level, attributes });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::entry::Attributes;
    use crate::table::PageTable;
    use crate::testing::HostPool;
    use crate::walk::{Access, walk};

    #[test]
    fn survey_of_a_cycle_ends() {
        let geometry = Geometry::new(48, 40).unwrap();
        // Every entry of every table refers to the table itself.
        let circle = survey(geometry, 0x1000, 100, |_| Ok::<_, ()>(0x1003), |_, _| {});
        assert_eq!(circle, Err(SurveyError::TooMany));
        let unread = survey(geometry, 0x1000, 100, |_| Err("gone"), |_, _| {});
        assert_eq!(unread, Err(SurveyError::Read { at: 0x1000, error: "gone" }));
    }

    proptest! {
        /// A survey visits exactly the mappings that walks find.
        #[test]
        fn a_survey_is_all_walks(ranges in prop::collection::vec((0u64..0x2000, 1u64..700), 1..12)) {
            let geometry = Geometry::new(39, 40).unwrap();
            let (pool, ledger) = HostPool::new(4096);
            let mut table = PageTable::new(pool, geometry).unwrap();
            let attributes = Attributes { read_only: false, no_execute: true, memory: 1 };
            let mut mapped = BTreeMap::new();
            for (page, count) in ranges {
                let (va, size) = (page << 12, count << 12);
                if table.map(va, (1 << 30) + va, size, attributes).is_ok() {
                    mapped.extend((page..page + count).map(|page| (page << 12, (1 << 30) + (page << 12))));
                }
            }
            let (root, contents) = (table.root(), table.pool_mut().contents());
            let read = |at: u64| contents.get(&(at & !0xfff)).map(|table| table[(at % 4096 / 8) as usize]).ok_or(());
            let mut seen = BTreeMap::new();
            let tables = survey(geometry, root, 4096, read, |va, to| {
                let pages = (0..to.length).step_by(4096);
                seen.extend(pages.map(|offset| (va + offset, to.address + offset)));
            });
            prop_assert_eq!(tables.unwrap().iter().sum::<u64>(), ledger.used.get() as u64);
            for (va, pa) in &seen {
                let to = walk(geometry, root, *va, Access::Read, read).unwrap();
                prop_assert_eq!(to.address, *pa);
            }
            prop_assert_eq!(seen, mapped);
        }
    }
}
