// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Compares tables with two models without tables: one of pages, one of intervals.

use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::entry::memory;
use crate::testing::{HostPool, Ledger};

const BLOCK: u64 = 2 << 20;
const LARGE: u64 = 1 << 30;

const RW: Attributes = Attributes { read_only: false, no_execute: true, memory: memory::CACHED };

fn tables(va_bits: u32, left: usize) -> (PageTable<HostPool>, Rc<Ledger>) {
    let (pool, ledger) = HostPool::new(left);
    let geometry = Geometry::new(va_bits, 40).unwrap();
    (PageTable::new(pool, geometry).unwrap(), ledger)
}

fn any_attributes() -> impl Strategy<Value = Attributes> {
    let memory = prop_oneof![Just(memory::CACHED), Just(memory::UNCACHED)];
    (any::<bool>(), any::<bool>(), memory).prop_map(|(read_only, no_execute, memory)| Attributes {
        read_only,
        no_execute,
        memory,
    })
}

/// A step that a driver makes.
#[derive(Clone, Debug)]
enum Step {
    Map { va: u64, pa: u64, size: u64, attributes: Attributes },
    Unmap { va: u64, size: u64 },
}

/// Generates an address that is often aligned to a large block.
fn place(window: u64) -> impl Strategy<Value = u64> {
    let pages = (0..window / PAGE_SIZE).prop_map(|page| page * PAGE_SIZE);
    prop_oneof![
        2 => pages.clone(),
        2 => pages.clone().prop_map(|at| at & !(BLOCK - 1)),
        1 => pages.clone().prop_map(|at| at & !(LARGE - 1)),
        1 => pages.prop_map(|at| (at & !(BLOCK - 1)) + PAGE_SIZE),
    ]
}

fn extent() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => (1u64..4).prop_map(|n| n * PAGE_SIZE),
        2 => (500u64..1100).prop_map(|n| n * PAGE_SIZE),
        2 => (1u64..5).prop_map(|n| n * BLOCK),
        1 => (1u64..3).prop_map(|n| n * LARGE),
        1 => (1u64..3).prop_map(|n| n * LARGE + BLOCK + PAGE_SIZE),
    ]
}

fn step(window: u64) -> impl Strategy<Value = Step> {
    let map = (place(window), place(window), extent(), any_attributes(), any::<bool>());
    let map = map.prop_map(|(va, pa, size, attributes, in_step)| {
        // In half of the cases the two addresses differ by a multiple of the largest block, so that blocks are used.
        let pa = if in_step { va % LARGE + (pa & !(LARGE - 1)) } else { pa };
        // If they differ by something else, all entries are pages, so a smaller size is enough.
        let size = if in_step { size } else { size.min(3 * BLOCK + PAGE_SIZE) };
        Step::Map { va, pa, size, attributes }
    });
    let unmap = (place(window), extent()).prop_map(|(va, size)| Step::Unmap { va, size });
    prop_oneof![3 => map, 2 => unmap]
}

/// The mappings, as intervals that do not overlap: the first address maps to the end, the physical address and the
/// attributes.
#[derive(Clone, Debug, Default, PartialEq)]
struct Intervals(BTreeMap<u64, (u64, u64, Attributes)>);

impl Intervals {
    fn touching(&self, va: u64, end: u64) -> Vec<(u64, (u64, u64, Attributes))> {
        let all = self.0.iter().filter(|(start, (to, ..))| **start < end && va < *to);
        all.map(|(start, rest)| (*start, *rest)).collect()
    }

    fn map(&mut self, va: u64, pa: u64, size: u64, attributes: Attributes) -> bool {
        let free = self.touching(va, va + size).is_empty();
        if free {
            self.0.insert(va, (va + size, pa, attributes));
        }
        free
    }

    fn unmap(&mut self, va: u64, size: u64) -> u64 {
        let end = va + size;
        let mut unmapped = 0;
        for (start, (to, pa, attributes)) in self.touching(va, end) {
            self.0.remove(&start);
            unmapped += to.min(end) - start.max(va);
            if start < va {
                self.0.insert(start, (va, pa, attributes));
            }
            if end < to {
                self.0.insert(end, (to, pa + (end - start), attributes));
            }
        }
        unmapped
    }

    fn translate(&self, va: u64) -> Option<(u64, Attributes)> {
        let (start, (to, pa, attributes)) = self.0.range(..=va).next_back()?;
        (va < *to).then_some((pa + (va - start), *attributes))
    }
}

fn seen(tables: &PageTable<HostPool>, va: u64) -> Option<(u64, Attributes)> {
    tables.translate(va).map(|to| (to.address, to.attributes))
}

/// Checks that each table but the root has an entry, and that each is referred to once.
fn check_invariants(tables: &PageTable<HostPool>) {
    let contents = tables.pool.contents();
    for (at, entries) in &contents {
        let used = entries.iter().any(|entry| *entry != 0);
        assert!(used || *at == tables.root, "table {at:#x} is empty and not freed");
    }
    let pointers = contents.values().flatten().filter(|entry| {
        // An entry is a table or a page. One that refers to a known table is no page, since pages are below the pool's
        // addresses.
        **entry & 3 == 3 && contents.contains_key(&(**entry & ADDRESS))
    });
    assert_eq!(pointers.count(), contents.len() - 1);
}

/// Makes a step with tables and model, and compares the results.
fn take(tables: &mut PageTable<HostPool>, model: &mut Intervals, step: &Step) {
    match *step {
        Step::Map { va, pa, size, attributes } => {
            let done = tables.map(va, pa, size, attributes);
            match model.map(va, pa, size, attributes) {
                true => assert_eq!(done, Ok(())),
                false => {
                    let Err(Error::Mapped(at)) = done else { panic!("{done:?}, and something was mapped") };
                    let slot = model.0.iter().any(|(start, (end, ..))| *start < at + LARGE && at < *end);
                    assert!(slot, "nothing is mapped at {at:#x}");
                }
            }
        }
        Step::Unmap { va, size } => assert_eq!(tables.unmap(va, size), Ok(model.unmap(va, size))),
    }
}

/// Returns the addresses where something may change: both ends of the steps' ranges, and their neighbours.
fn probes(steps: &[Step]) -> Vec<u64> {
    let ends = steps.iter().flat_map(|step| match *step {
        Step::Map { va, size, .. } | Step::Unmap { va, size } => [va, va + size, va + size / 2],
    });
    ends.flat_map(|at| [at.saturating_sub(1), at, at + PAGE_SIZE, (at & !(BLOCK - 1)) + 0x123]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The tables agree with the intervals for blocks of all sizes, made and split.
    #[test]
    fn tables_are_what_the_intervals_are(steps in vec(step(8 * LARGE), 1..14)) {
        let (mut tables, ledger) = tables(40, usize::MAX);
        let mut model = Intervals::default();
        let probes = probes(&steps);
        for step in &steps {
            take(&mut tables, &mut model, step);
            check_invariants(&tables);
            for at in &probes {
                prop_assert_eq!(seen(&tables, *at), model.translate(*at), "at {:#x}", at);
            }
        }
        prop_assert!(tables.unmap(0, 1 << 40).is_ok());
        prop_assert_eq!(ledger.used.get(), 1, "only the root is left");
        drop(tables);
        prop_assert_eq!(ledger.used.get(), 0);
    }

    /// When memory runs out, every bit of the tables is unchanged.
    #[test]
    fn failed_change_has_no_effect(steps in vec(step(8 * LARGE), 1..10), left in 0usize..9) {
        let (mut tables, ledger) = tables(40, usize::MAX);
        let mut model = Intervals::default();
        for step in &steps {
            let before = tables.pool.contents();
            ledger.left.set(left);
            let failed = match *step {
                Step::Map { va, pa, size, attributes } => tables.map(va, pa, size, attributes).err(),
                Step::Unmap { va, size } => tables.unmap(va, size).err(),
            };
            match failed {
                Some(_) => prop_assert_eq!(&tables.pool.contents(), &before),
                None => match *step {
                    Step::Map { va, pa, size, attributes } => prop_assert!(model.map(va, pa, size, attributes)),
                    Step::Unmap { va, size } => { model.unmap(va, size); }
                },
            }
            ledger.left.set(usize::MAX / 2);
            if failed == Some(Error::NoMemory) {
                // With memory, the step succeeds.
                take(&mut tables, &mut model, step);
            }
        }
    }

    /// In an empty address space, mapping pieces needs exactly the predicted number of tables.
    #[test]
    fn pieces_need_the_computed_number_of_tables(
        va in place(8 * LARGE), pieces in vec((place(8 * LARGE), extent(), any::<bool>()), 1..6),
    ) {
        let (mut tables, ledger) = tables(48, usize::MAX);
        let (before, mut at, mut mapped) = (ledger.taken.get(), va, Vec::new());
        for (pa, size, in_step) in pieces {
            let pa = if in_step { at % LARGE + (pa & !(LARGE - 1)) } else { pa };
            let size = if in_step { size } else { size.min(3 * BLOCK + PAGE_SIZE) };
            tables.map(at, pa, size, RW).unwrap();
            mapped.push((pa, size));
            at += size;
        }
        let most = tables.geometry().tables_for_pieces(va, mapped.into_iter());
        prop_assert_eq!(ledger.taken.get() - before, most);
    }

    /// No step needs more tables than predicted.
    #[test]
    fn no_change_needs_more_tables_than_computed(steps in vec(step(8 * LARGE), 1..10)) {
        let (mut tables, ledger) = tables(48, usize::MAX);
        let mut model = Intervals::default();
        for step in &steps {
            let before = ledger.taken.get();
            take(&mut tables, &mut model, step);
            let most = match *step {
                Step::Map { va, size, .. } => tables.geometry().tables_for_map(va, size),
                Step::Unmap { .. } => tables.geometry().tables_for_unmap(),
            };
            prop_assert!(ledger.taken.get() - before <= most);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// The tables agree with the pages in a window around a boundary of blocks.
    #[test]
    fn tables_are_what_the_pages_are(
        steps in vec((any::<bool>(), 0u64..1600, 1u64..1200, 0u64..3, any_attributes()), 1..12),
    ) {
        const WINDOW: u64 = LARGE - 2 * BLOCK;
        let (mut tables, _) = tables(48, usize::MAX);
        let mut pages = BTreeMap::new();
        for (is_map, first, count, shift, attributes) in steps {
            let va = WINDOW + first * PAGE_SIZE;
            let numbers = first..first + count;
            if is_map {
                let pa = 4 * LARGE + va + shift * PAGE_SIZE;
                let free = !numbers.clone().any(|page| pages.contains_key(&page));
                prop_assert_eq!(tables.map(va, pa, count * PAGE_SIZE, attributes).is_ok(), free);
                if free {
                    pages.extend(numbers.map(|page| (page, (pa + (page - first) * PAGE_SIZE, attributes))));
                }
            } else {
                let mapped = numbers.filter(|page| pages.remove(page).is_some()).count() as u64;
                prop_assert_eq!(tables.unmap(va, count * PAGE_SIZE), Ok(mapped * PAGE_SIZE));
            }
        }
        for page in 0..2900 {
            prop_assert_eq!(seen(&tables, WINDOW + page * PAGE_SIZE), pages.get(&page).copied(), "page {}", page);
        }
    }

    /// Every range is either mapped or refused.
    #[test]
    fn any_range_is_mapped_or_refused(va: u64, pa: u64, size: u64, shift in 0u32..52) {
        let (mut tables, _) = tables(48, 40);
        let (va, pa, size) = (va >> shift, pa >> shift, size >> shift);
        let page = |at: u64| at & !(PAGE_SIZE - 1);
        let _ = tables.map(va, pa, size, RW);
        if tables.map(page(va), page(pa), page(size), RW).is_ok() {
            prop_assert_eq!(tables.unmap(page(va), page(size)), Ok(page(size)));
        }
        let _ = tables.unmap(va, size);
    }
}

#[test]
fn blocks_are_as_large_as_both_addresses_are_aligned() {
    let (mut tables, ledger) = tables(48, usize::MAX);
    tables.map(LARGE, 2 * LARGE, LARGE, RW).unwrap();
    assert_eq!(tables.translate(LARGE + 5).unwrap().level, 1);
    assert_eq!(ledger.used.get(), 2, "the root and a table of level 1");
    tables.map(4 * LARGE, BLOCK, 2 * BLOCK, RW).unwrap();
    assert_eq!(tables.translate(4 * LARGE).unwrap().level, 2);
    tables.map(8 * LARGE, PAGE_SIZE, BLOCK, RW).unwrap();
    assert_eq!(tables.translate(8 * LARGE).unwrap().level, 3);
}

#[test]
fn unmap_in_a_block_keeps_the_rest_mapped() {
    let (mut tables, ledger) = tables(48, usize::MAX);
    tables.map(LARGE, 2 * LARGE, LARGE, RW).unwrap();
    assert_eq!(tables.unmap(LARGE + BLOCK, PAGE_SIZE), Ok(PAGE_SIZE));
    assert_eq!(tables.translate(LARGE + BLOCK), None);
    let level = |va| tables.translate(va).map(|to| (to.address, to.level));
    assert_eq!(level(LARGE + BLOCK + PAGE_SIZE), Some((2 * LARGE + BLOCK + PAGE_SIZE, 3)));
    assert_eq!(level(LARGE), Some((2 * LARGE, 2)));
    assert_eq!(ledger.used.get(), 4);
}

#[test]
fn a_range_must_be_one() {
    let (mut tables, _) = tables(39, usize::MAX);
    let mut map = |va, pa, size| tables.map(va, pa, size, RW);
    assert_eq!(map(1, 0, PAGE_SIZE), Err(Error::Unaligned));
    assert_eq!(map(0, 1, PAGE_SIZE), Err(Error::Unaligned));
    assert_eq!(map(0, 0, 1), Err(Error::Unaligned));
    assert_eq!(map(0, 0, 0), Err(Error::Range));
    assert_eq!(map(0, (1 << 40) - PAGE_SIZE, 2 * PAGE_SIZE), Err(Error::Range));
    assert_eq!(map((1 << 39) - PAGE_SIZE, 0, 2 * PAGE_SIZE), Err(Error::Range));
    assert_eq!(map(!0xfff, 0, PAGE_SIZE), Err(Error::Range));
    assert_eq!(map((1 << 39) - PAGE_SIZE, (1 << 40) - PAGE_SIZE, PAGE_SIZE), Ok(()));
    assert_eq!(map((1 << 39) - PAGE_SIZE, 0, PAGE_SIZE), Err(Error::Mapped((1 << 39) - PAGE_SIZE)));
}

/// A pool whose tables are at addresses that no entry can hold.
struct HighPool(HostPool);

impl TablePool for HighPool {
    type Page = crate::testing::HostPage;

    fn allocate(&mut self) -> Option<u64> {
        self.0.allocate().map(|at| at | 1 << 40)
    }

    fn page(&self, table: u64) -> &Self::Page {
        self.0.page(table & !(1 << 40))
    }

    fn free(&mut self, table: u64) {
        self.0.free(table & !(1 << 40));
    }
}

#[test]
fn unreachable_table_is_freed() {
    let (pool, ledger) = HostPool::new(4);
    let made = PageTable::new(HighPool(pool), Geometry::new(48, 40).unwrap());
    assert!(matches!(made, Err(Error::TableAddress(at)) if at >> 40 == 1));
    assert_eq!(ledger.freed.borrow().len(), 1);
}
