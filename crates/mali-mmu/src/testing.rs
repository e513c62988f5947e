// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Replaces a driver's pages in tests.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::geometry::{ENTRIES, PAGE_SIZE};
use crate::table::{TablePage, TablePool};

/// A table in the test's memory.
pub(crate) struct HostPage([Cell<u64>; ENTRIES]);

impl TablePage for HostPage {
    fn get(&self, index: usize) -> u64 {
        self.0[index].get()
    }

    fn set(&self, index: usize, entry: u64) {
        self.0[index].set(entry);
    }
}

/// A test's view of a pool that the tables own.
#[derive(Default)]
pub(crate) struct Ledger {
    /// The number of tables that can still be allocated.
    pub(crate) left: Cell<usize>,
    /// The number of tables in use.
    pub(crate) used: Cell<usize>,
    /// The number of tables ever allocated.
    pub(crate) taken: Cell<usize>,
    /// Every table that was freed.
    pub(crate) freed: RefCell<Vec<u64>>,
}

/// A pool of pages at invented physical addresses.
pub(crate) struct HostPool {
    pages: BTreeMap<u64, Box<HostPage>>,
    next: u64,
    ledger: Rc<Ledger>,
}

impl HostPool {
    /// Creates a pool of `left` tables.
    pub(crate) fn new(left: usize) -> (Self, Rc<Ledger>) {
        let ledger = Rc::new(Ledger { left: Cell::new(left), ..Ledger::default() });
        (Self { pages: BTreeMap::new(), next: 1 << 39, ledger: ledger.clone() }, ledger)
    }

    /// Returns each table with its entries.
    pub(crate) fn contents(&self) -> BTreeMap<u64, Vec<u64>> {
        let entries = |page: &HostPage| page.0.iter().map(Cell::get).collect();
        self.pages.iter().map(|(at, page)| (*at, entries(page))).collect()
    }
}

impl TablePool for HostPool {
    type Page = HostPage;

    fn allocate(&mut self) -> Option<u64> {
        self.ledger.left.set(self.ledger.left.get().checked_sub(1)?);
        self.ledger.used.set(self.ledger.used.get() + 1);
        self.ledger.taken.set(self.ledger.taken.get() + 1);
        self.next += PAGE_SIZE;
        self.pages.insert(self.next, Box::new(HostPage([const { Cell::new(0) }; ENTRIES])));
        Some(self.next)
    }

    fn page(&self, table: u64) -> &HostPage {
        self.pages.get(&table).expect("a table that is in use")
    }

    fn free(&mut self, table: u64) {
        self.pages.remove(&table).expect("a table is freed once");
        self.ledger.left.set(self.ledger.left.get() + 1);
        self.ledger.used.set(self.ledger.used.get() - 1);
        self.ledger.freed.borrow_mut().push(table);
    }
}
