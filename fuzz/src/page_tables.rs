// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Page tables of a Mali's MMU: walks of tables with any content, and ranges that clients of the driver choose.

use std::cell::Cell;
use std::collections::BTreeMap;

use csf_iface::{Shared, group_control, stream_control};
use mali_mmu::{
    Access, Attributes, Error, Geometry, PAGE_SIZE, PageTable, SurveyError, TablePage, TablePool, WalkError, survey,
    walk,
};

use crate::Target;
use crate::bytes::Bytes;

/// The most tables that are visited or made.
const MOST_TABLES: usize = 64;
/// The most ranges that are mapped and unmapped.
const MOST_RANGES: usize = 24;

pub(crate) const TARGET: Target = Target {
    name: "page-tables",
    run,
    show: |bytes| {
        let mut bytes = Bytes::new(bytes);
        let (geometry, walks) = (geometry(&mut bytes), bytes.bool());
        match walks {
            true => format!("{geometry:?}, walks of {:x?}\n", bytes.rest()),
            false => format!("{geometry:?}, {:#x?}\n", bytes.all(MOST_RANGES, Change::from)),
        }
    },
};

fn run(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let geometry = geometry(&mut bytes);
    match bytes.bool() {
        true => walks(geometry, &mut bytes),
        false => changes(geometry, &mut bytes),
    }
}

fn geometry(bytes: &mut Bytes<'_>) -> Geometry {
    let (va, pa) = (u32::from(bytes.u8()), u32::from(bytes.u8()));
    Geometry::new(va, pa).unwrap_or(Geometry::new(48, 40).expect("widths of the Mali-G610"))
}

/// The input is repeated to fill the whole physical memory, so entries with any address lead into it.
fn walks(geometry: Geometry, bytes: &mut Bytes<'_>) {
    let (root, va) = (bytes.u64(), bytes.u64());
    places(bytes);
    let entries: Vec<u64> = bytes.all(usize::MAX, Bytes::u64);
    if entries.is_empty() {
        return;
    }
    let read = |at: u64| Ok::<_, ()>(entries[(at / 8) as usize % entries.len()]);
    for access in [Access::Read, Access::Write, Access::Execute] {
        let mut reads = 0;
        let walked = walk(geometry, root, va, access, |at| {
            reads += 1;
            read(at)
        });
        assert!(reads <= 4, "there are four levels");
        match walked {
            Ok(to) => assert!(to.address < geometry.pa_end() && to.length > 0 && to.allows(access)),
            Err(WalkError::Fault(fault)) => assert!(fault.level <= 3),
            Err(WalkError::Read(())) => unreachable!("all memory can be read"),
        }
    }
    // A survey and walks find the same mappings. A survey does not check whether a table's address is possible.
    let mut seen = 0_u64;
    let tables = survey(geometry, root % geometry.pa_end(), MOST_TABLES, read, |va, leaf| {
        seen += 1;
        let walked = walk(geometry, root % geometry.pa_end(), va, Access::Read, read);
        assert!(va < geometry.va_end(), "it is an address");
        assert!(walked.is_err() || walked == Ok(leaf), "a survey finds what a walk finds");
    });
    match tables {
        Ok(tables) => assert!(seen <= tables.iter().sum::<u64>() * 512, "a table has 512 entries"),
        Err(error) => assert_eq!(error, SurveyError::TooMany),
    }
}

/// The firmware's values lead to places in the section, or to none.
fn places(bytes: &mut Bytes<'_>) {
    let shared = Shared { start: bytes.u32(), size: bytes.u32() };
    let (slot, stride) = (bytes.u32(), bytes.u32());
    let group = group_control(slot, stride);
    for offset in [group, stream_control(group, slot, stride), bytes.u64()] {
        if let Some(at) = shared.check(offset, 0x58) {
            assert!(at as u64 == offset && at + 0x58 <= shared.size as usize);
        }
    }
}

/// A range to map or unmap.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// The physical address, if the range is mapped.
    pa: Option<u64>,
    va: u64,
    size: u64,
    /// The number of tables that can still be made.
    left: usize,
}

impl Change {
    fn from(bytes: &mut Bytes<'_>) -> Self {
        let map = bytes.bool();
        let (va, size, pa) = (number(bytes), number(bytes), number(bytes));
        Self { pa: map.then_some(pa), va, size, left: usize::from(bytes.u8()) }
    }
}

/// Takes a number of pages, of blocks, or any.
fn number(bytes: &mut Bytes<'_>) -> u64 {
    let number = u64::from(bytes.u16());
    match bytes.u8() % 5 {
        0 => number << 12,
        1 => number << 21,
        2 => number << 30,
        3 => (number << 12) + (1 << 30) - (1 << 13),
        _ => bytes.u64(),
    }
}

/// The mapped ranges: the first address leads to the one behind the last, and the physical address.
#[derive(Default)]
struct Model(BTreeMap<u64, (u64, u64)>);

impl Model {
    fn overlaps(&self, va: u64, end: u64) -> impl Iterator<Item = (u64, u64, u64)> {
        let all = self.0.iter().map(|(from, (to, pa))| (*from, *to, *pa));
        all.filter(move |(from, to, _)| *from < end && va < *to)
    }

    fn find(&self, va: u64) -> Option<u64> {
        self.overlaps(va, va.saturating_add(1)).next().map(|(from, _, pa)| pa + (va - from))
    }

    /// Removes a range, and returns how many bytes of it were mapped.
    fn unmap(&mut self, va: u64, end: u64) -> u64 {
        let cut: Vec<_> = self.overlaps(va, end).collect();
        let mut bytes = 0;
        for (from, to, pa) in cut {
            self.0.remove(&from);
            bytes += to.min(end) - from.max(va);
            if from < va {
                self.0.insert(from, (va, pa));
            }
            if end < to {
                self.0.insert(end, (to, pa + (end - from)));
            }
        }
        bytes
    }
}

/// Maps and unmaps, and compares the result with a list of ranges.
fn changes(geometry: Geometry, bytes: &mut Bytes<'_>) {
    let Ok(mut table) = PageTable::new(Pool::default(), geometry) else { return };
    let mut model = Model::default();
    for change in bytes.all(MOST_RANGES, Change::from) {
        apply(&mut table, &mut model, change);
        let end = change.va.saturating_add(change.size);
        for va in [change.va, change.va.wrapping_sub(1), end, end.wrapping_sub(1), change.va / 2 + end / 2] {
            let found = table.translate(va).map(|to| to.address);
            assert_eq!(found, model.find(va), "{va:#x} after {change:x?}");
        }
    }
    let all = geometry.va_end();
    table.pool_mut().left = MOST_TABLES;
    assert_eq!(table.unmap(0, all), Ok(model.unmap(0, all)));
    assert_eq!(table.pool_mut().pages.len(), 1, "only the root is left");
}

fn apply(table: &mut PageTable<Pool>, model: &mut Model, change: Change) {
    let Change { pa, va, size, left } = change;
    let attributes = Attributes { read_only: false, no_execute: true, memory: 1 };
    table.pool_mut().left = left.min(MOST_TABLES - table.pool_mut().pages.len().min(MOST_TABLES));
    let Some(pa) = pa else {
        match table.unmap(va, size) {
            Ok(bytes) => assert_eq!(bytes, model.unmap(va, va + size)),
            Err(error) => assert!(!matches!(error, Error::Mapped(_)), "{error}"),
        }
        return;
    };
    match table.map(va, pa, size, attributes) {
        Ok(()) => {
            assert_eq!(model.overlaps(va, va + size).count(), 0, "nothing was mapped there");
            model.0.insert(va, (va + size, pa));
        }
        Err(Error::Mapped(at)) => {
            assert!(at < va + size && model.overlaps(va, va + size).next().is_some(), "{at:#x} is in the way");
        }
        Err(_) => {}
    }
}

struct Page([Cell<u64>; 512]);

impl TablePage for Page {
    fn get(&self, index: usize) -> u64 {
        self.0[index].get()
    }

    fn set(&self, index: usize, entry: u64) {
        self.0[index].set(entry);
    }
}

/// Tables at addresses that every geometry reaches.
struct Pool {
    pages: BTreeMap<u64, Box<Page>>,
    left: usize,
    next: u64,
}

impl Default for Pool {
    fn default() -> Self {
        Self { pages: BTreeMap::new(), left: 1, next: 0 }
    }
}

impl TablePool for Pool {
    type Page = Page;

    fn allocate(&mut self) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        self.next += PAGE_SIZE;
        self.pages.insert(self.next, Box::new(Page([const { Cell::new(0) }; 512])));
        Some(self.next)
    }

    fn page(&self, table: u64) -> &Page {
        self.pages.get(&table).expect("a table that is in use")
    }

    fn free(&mut self, table: u64) {
        self.pages.remove(&table).expect("a table is freed once");
    }
}
