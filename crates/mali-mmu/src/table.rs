// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Page tables that a driver makes: mapping, unmapping, and their errors.

use core::fmt;

use crate::entry::{ADDRESS, Attributes, Entry, Leaf};
use crate::geometry::{ENTRIES, Geometry, LAST_LEVEL, PAGE_SIZE, index, span};
use crate::split::{End, tables_for};
use crate::walk::{Access, Translation, walk};

/// A page for a table: the GPU can read it, and it holds 512 entries of eight bytes, little endian.
pub trait TablePage {
    /// Returns entry `index`, which is less than 512.
    fn get(&self, index: usize) -> u64;

    /// Sets entry `index`, which is less than 512. The GPU may be reading: it must see the whole entry or none of it,
    /// and not before everything that was set earlier.
    fn set(&self, index: usize, entry: u64);
}

/// The allocator of tables. A table is identified by its physical address, as the GPU sees it.
pub trait TablePool {
    /// The type of a table's page.
    type Page: TablePage + ?Sized;

    /// Allocates a table whose entries are all zero, or returns `None` if there is no memory.
    fn allocate(&mut self) -> Option<u64>;

    /// Returns the page of a table that was allocated and not yet freed.
    fn page(&self, table: u64) -> &Self::Page;

    /// Frees a table. The GPU may read it until its translations of the range are flushed, so it must not be reused
    /// before that.
    fn free(&mut self, table: u64);
}

/// The reason why a range was not mapped or unmapped. An error leaves every bit of the tables unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// An address or the size is not a multiple of the page size.
    Unaligned,
    /// The range is empty, or has addresses beyond the last, virtual or physical.
    Range,
    /// A part of the range is mapped already: at this address, or in a block at this address that would be used.
    Mapped(u64),
    /// There is no memory for a table.
    NoMemory,
    /// The pool returned a table at this address, which the GPU cannot read.
    TableAddress(u64),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unaligned => f.write_str("the range is not aligned to pages"),
            Self::Range => f.write_str("the range is empty or ends beyond the last address"),
            Self::Mapped(va) => write!(f, "`{va:#x}` is mapped already"),
            Self::NoMemory => f.write_str("no memory for a table"),
            Self::TableAddress(pa) => write!(f, "the GPU cannot read a table at `{pa:#x}`"),
        }
    }
}

impl core::error::Error for Error {}

/// A range to map.
#[derive(Clone, Copy)]
struct Mapping {
    va: u64,
    end: u64,
    pa: u64,
    attributes: Attributes,
}

impl Mapping {
    /// Returns the entry of `level` for the slot at `slot`, if one entry can map all of it.
    fn leaf(&self, level: u32, slot: u64) -> Option<Entry> {
        let covered = self.va <= slot && slot + span(level) <= self.end;
        if level == 0 || !covered {
            return None;
        }
        let pa = self.pa + (slot - self.va);
        (pa % span(level) == 0).then_some(Entry::Leaf(Leaf::new(pa, self.attributes)))
    }
}

/// The page tables of an address space.
///
/// # Invariants
///
/// - Each table but the root has an entry that is not zero.
/// - Each table is referred to by one entry, and was allocated from the pool.
pub struct PageTable<P: TablePool> {
    pool: P,
    geometry: Geometry,
    root: u64,
}

impl<P: TablePool> PageTable<P> {
    /// Creates an address space without mappings.
    pub fn new(mut pool: P, geometry: Geometry) -> Result<Self, Error> {
        let root = allocate(&mut pool, geometry)?;
        Ok(Self { pool, geometry, root })
    }

    /// Returns the physical address of the root table, for `AS_TRANSTAB`.
    pub fn root(&self) -> u64 {
        self.root
    }

    /// Returns the widths of the addresses.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Returns the pool of tables: to allocate some ahead, or to release those that the GPU no longer reads.
    pub fn pool_mut(&mut self) -> &mut P {
        &mut self.pool
    }

    /// Maps `size` bytes from virtual address `va` to physical address `pa`, in blocks as large as both alignments
    /// allow.
    ///
    /// The range must not have mappings. An error leaves the tables unchanged. At most [`Geometry::tables_for_map`]
    /// tables are allocated.
    pub fn map(&mut self, va: u64, pa: u64, size: u64, attributes: Attributes) -> Result<(), Error> {
        let end = self.check(va, size)?;
        if pa % PAGE_SIZE != 0 {
            return Err(Error::Unaligned);
        }
        if pa.checked_add(size).is_none_or(|end| end > self.geometry.pa_end()) {
            return Err(Error::Range);
        }
        let mapping = Mapping { va, end, pa, attributes };
        // Every step that can fail comes first, and maps nothing. If one fails, only empty tables must be removed.
        let (root, level) = (self.root, self.geometry.root_level());
        let reserved = self.reserve(root, level, &mapping);
        match reserved {
            Ok(()) => self.fill(root, level, &mapping),
            Err(_) => {
                self.prune(root, level, va, end);
            }
        }
        reserved
    }

    /// Unmaps `size` bytes from `va`, and returns how many of them were mapped. Blocks at the ends are split.
    ///
    /// An error leaves the tables unchanged. At most [`Geometry::tables_for_unmap`] tables are allocated. The caller
    /// holds a lock on the region, so that the GPU does not see a block and its parts at once, and flushes the GPU's
    /// translations afterwards.
    pub fn unmap(&mut self, va: u64, size: u64) -> Result<u64, Error> {
        let end = self.check(va, size)?;
        let ends = [va, end].map(|va| End { va, level: self.translate(va).map(|to| to.level) });
        let mut spare = self.set_aside(tables_for(ends[0], ends[1]))?;
        for end in ends {
            self.split(end.va, &mut spare);
        }
        let (root, level) = (self.root, self.geometry.root_level());
        Ok(self.clear(root, level, va, end))
    }

    /// Returns the translation of an address, if it is mapped.
    pub fn translate(&self, va: u64) -> Option<Translation> {
        let read = |at: u64| {
            let table = at & !(PAGE_SIZE - 1);
            Ok::<_, core::convert::Infallible>(self.pool.page(table).get((at - table) as usize / 8))
        };
        walk(self.geometry, self.root, va, Access::Read, read).ok()
    }

    /// Returns the end of a range of virtual addresses, if the range is valid.
    fn check(&self, va: u64, size: u64) -> Result<u64, Error> {
        if va % PAGE_SIZE != 0 || size % PAGE_SIZE != 0 {
            return Err(Error::Unaligned);
        }
        let end = va.checked_add(size).filter(|end| size > 0 && *end <= self.geometry.va_end());
        end.ok_or(Error::Range)
    }

    fn entry(&self, table: u64, level: u32, at: usize) -> Entry {
        Entry::decode(level, self.pool.page(table).get(at))
    }

    fn set(&self, table: u64, level: u32, at: usize, entry: Entry) {
        self.pool.page(table).set(at, entry.encode(level));
    }

    /// Allocates the tables that a mapping needs, and checks that its range has no mappings.
    fn reserve(&mut self, table: u64, level: u32, mapping: &Mapping) -> Result<(), Error> {
        if level == LAST_LEVEL {
            let page = self.pool.page(table);
            let taken = slots(level, mapping.va, mapping.end).find(|(at, _)| page.get(*at) != 0);
            return taken.map_or(Ok(()), |(_, slot)| Err(Error::Mapped(slot)));
        }
        for (at, slot) in slots(level, mapping.va, mapping.end) {
            let next = match self.entry(table, level, at) {
                Entry::Leaf(_) => return Err(Error::Mapped(slot)),
                Entry::Table(_) if mapping.leaf(level, slot).is_some() => return Err(Error::Mapped(slot)),
                Entry::Table(next) => next,
                Entry::Invalid if mapping.leaf(level, slot).is_some() => continue,
                Entry::Invalid => {
                    let next = allocate(&mut self.pool, self.geometry)?;
                    self.set(table, level, at, Entry::Table(next));
                    next
                }
            };
            self.reserve(next, level + 1, &mapping.within(slot, level))?;
        }
        Ok(())
    }

    /// Writes the entries of a mapping whose tables exist.
    fn fill(&self, table: u64, level: u32, mapping: &Mapping) {
        let page = self.pool.page(table);
        for (at, slot) in slots(level, mapping.va, mapping.end) {
            if let Some(leaf) = mapping.leaf(level, slot) {
                page.set(at, leaf.encode(level));
            } else if let Entry::Table(next) = Entry::decode(level, page.get(at)) {
                self.fill(next, level + 1, &mapping.within(slot, level));
            }
        }
    }

    /// Frees the empty tables below `table` that a range touches, and returns whether `table` is now empty.
    fn prune(&mut self, table: u64, level: u32, va: u64, end: u64) -> bool {
        if level < LAST_LEVEL {
            for (at, slot) in slots(level, va, end) {
                let Entry::Table(next) = self.entry(table, level, at) else { continue };
                if self.prune(next, level + 1, va.max(slot), end.min(slot + span(level))) {
                    self.set(table, level, at, Entry::Invalid);
                    self.pool.free(next);
                }
            }
        }
        self.is_empty(table)
    }

    /// Allocates tables from the pool: all of them or, with an error, none.
    fn set_aside(&mut self, count: usize) -> Result<Spare, Error> {
        let mut spare = Spare::default();
        while spare.count < count {
            match allocate(&mut self.pool, self.geometry) {
                Ok(table) => spare.put(table),
                Err(error) => {
                    while let Some(table) = spare.take() {
                        self.pool.free(table);
                    }
                    return Err(error);
                }
            }
        }
        Ok(spare)
    }

    /// Splits blocks until one begins at `va`, or `va` is not mapped.
    fn split(&mut self, va: u64, spare: &mut Spare) {
        let (mut table, mut level) = (self.root, self.geometry.root_level());
        while va % span(level) != 0 {
            let at = index(level, va);
            table = match self.entry(table, level, at) {
                Entry::Invalid => return,
                Entry::Table(next) => next,
                Entry::Leaf(block) => {
                    let next = spare.take().expect("a table was allocated ahead for each split");
                    let page = self.pool.page(next);
                    for part in 0..ENTRIES {
                        let address = block.address + part as u64 * span(level + 1);
                        page.set(part, Entry::Leaf(Leaf { address, ..block }).encode(level + 1));
                    }
                    self.set(table, level, at, Entry::Table(next));
                    next
                }
            };
            level += 1;
        }
    }

    /// Unmaps a range whose ends are not within a block, and returns how many bytes were mapped.
    fn clear(&mut self, table: u64, level: u32, va: u64, end: u64) -> u64 {
        if level == LAST_LEVEL {
            let page = self.pool.page(table);
            let mapped = slots(level, va, end).filter(|(at, _)| page.get(*at) != 0);
            return mapped.map(|(at, _)| page.set(at, 0)).count() as u64 * PAGE_SIZE;
        }
        let mut cleared = 0;
        for (at, slot) in slots(level, va, end) {
            match self.entry(table, level, at) {
                Entry::Invalid => {}
                Entry::Leaf(_) => {
                    self.set(table, level, at, Entry::Invalid);
                    cleared += span(level);
                }
                Entry::Table(next) => {
                    let (from, to) = (va.max(slot), end.min(slot + span(level)));
                    cleared += self.clear(next, level + 1, from, to);
                    let whole = to - from == span(level);
                    if whole || self.is_empty(next) {
                        self.set(table, level, at, Entry::Invalid);
                        self.pool.free(next);
                    }
                }
            }
        }
        cleared
    }

    fn is_empty(&self, table: u64) -> bool {
        let page = self.pool.page(table);
        (0..ENTRIES).all(|at| page.get(at) == 0)
    }
}

impl<P: TablePool> Drop for PageTable<P> {
    fn drop(&mut self) {
        let (root, level, end) = (self.root, self.geometry.root_level(), self.geometry.va_end());
        self.clear(root, level, 0, end);
        self.pool.free(root);
    }
}

impl Mapping {
    /// Returns the part of the mapping in the slot of `level` at `slot`.
    fn within(&self, slot: u64, level: u32) -> Self {
        let va = self.va.max(slot);
        Self { va, end: self.end.min(slot + span(level)), pa: self.pa + (va - self.va), ..*self }
    }
}

/// Tables that were allocated ahead for splits.
#[derive(Default)]
struct Spare {
    tables: [u64; 4],
    count: usize,
}

impl Spare {
    fn put(&mut self, table: u64) {
        self.tables[self.count] = table;
        self.count += 1;
    }

    fn take(&mut self) -> Option<u64> {
        self.count = self.count.checked_sub(1)?;
        Some(self.tables[self.count])
    }
}

/// Returns the entries of a table of `level` that a range touches, each with the first address that it spans. The range
/// is within one table.
fn slots(level: u32, va: u64, end: u64) -> impl Iterator<Item = (usize, u64)> {
    let first = va & !(span(level) - 1);
    let count = (end - first).div_ceil(span(level));
    (0..count).map(move |n| first + n * span(level)).map(move |slot| (index(level, slot), slot))
}

/// Allocates a table at an address that an entry can hold.
fn allocate<P: TablePool>(pool: &mut P, geometry: Geometry) -> Result<u64, Error> {
    let table = pool.allocate().ok_or(Error::NoMemory)?;
    if table & !ADDRESS != 0 || table >= geometry.pa_end() {
        pool.free(table);
        return Err(Error::TableAddress(table));
    }
    Ok(table)
}

#[cfg(test)]
mod tests;
