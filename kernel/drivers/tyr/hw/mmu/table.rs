// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Page tables whose pages the GPU reads by DMA.
//!
//! Source: `crates/mali-mmu`.

use super::Fault;
use core::ops::Range;
use kernel::{
    device::{
        Bound,
        Device, //
    },
    dma::Coherent,
    io::{
        io_read,
        io_write, //
    },
    new_mutex,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode, //
    },
    scatterlist::SGTable,
    sync::{
        barrier::{
            dma_mb,
            Write, //
        },
        lock::{
            mutex::MutexBackend,
            Guard, //
        },
        Arc,
        Mutex,
        SetOnce, //
    },
};
use mali_mmu::{
    Attributes,
    Geometry,
    PageTable,
    TablePage,
    TablePool, //
};

/// The number of entries of a table.
const ENTRIES: usize = mali_mmu::PAGE_SIZE as usize / 8;

/// The page of a table, in memory that the GPU reads. `None` is a table that does not exist and
/// maps nothing.
pub(super) struct Page(Option<Coherent<[u64; ENTRIES]>>);

static NO_PAGE: Page = Page(None);

impl TablePage for Page {
    fn get(&self, index: usize) -> u64 {
        let read = || -> Result<u64> {
            let memory = self.0.as_ref().ok_or(ENOENT)?;
            Ok(u64::from_le(io_read!(memory, [try: index])))
        };
        read().unwrap_or(0)
    }

    fn set(&self, index: usize, entry: u64) {
        let write = || -> Result {
            let memory = self.0.as_ref().ok_or(ENOENT)?;
            dma_mb(Write);
            io_write!(memory, [try: index], entry.to_le());
            Ok(())
        };
        let _ = write();
    }
}

/// Allocates a zeroed page.
fn new_page(dev: &Device<Bound>) -> Result<RBTreeNode<u64, Page>> {
    let page = Coherent::zeroed(dev, GFP_KERNEL | __GFP_NOWARN)?;
    RBTreeNode::new(
        page.dma_address(),
        Page(Some(page)),
        GFP_KERNEL | __GFP_NOWARN,
    )
}

/// The maximum number of pages that an address space may use or have reserved: 256 MiB of them. The
/// client's memory limits how much of objects it can map, but sparse mappings need no memory. This
/// limits them to 128 GiB.
const MAX_PAGES: usize = 1 << 16;

/// The number of spare pages that a table keeps: as many as mapping a page may need.
const SPARE_PAGES: usize = 7;

/// Pages by their addresses for the GPU. Moving a page from one map to another needs no memory.
struct Pages {
    pages: RBTree<u64, Page>,
    count: usize,
}

impl Pages {
    fn new() -> Self {
        Self {
            pages: RBTree::new(),
            count: 0,
        }
    }

    fn put(&mut self, node: RBTreeNode<u64, Page>) {
        self.pages.insert(node);
        self.count += 1;
    }

    fn take(&mut self, address: &u64) -> Option<RBTreeNode<u64, Page>> {
        let node = self.pages.remove_node(address)?;
        self.count -= 1;
        Some(node)
    }

    fn take_any(&mut self) -> Option<(u64, RBTreeNode<u64, Page>)> {
        let address = *self.pages.keys().next()?;
        Some((address, self.take(&address)?))
    }
}

/// The pages of one address space.
pub(super) struct Pool {
    /// Pages in use as tables.
    used: Pages,
    /// Zeroed pages that are set aside.
    spare: Pages,
    /// Former tables that the GPU may still read.
    retired: Pages,
    /// The number of spare pages reserved for future changes.
    reserved: usize,
}

impl Pool {
    fn new() -> Self {
        Self {
            used: Pages::new(),
            spare: Pages::new(),
            retired: Pages::new(),
            reserved: 0,
        }
    }

    /// Frees the pages that are not reserved, except for some that the next change will need.
    fn trim(&mut self) {
        while self.spare.count > self.reserved + SPARE_PAGES {
            drop(self.spare.take_any());
        }
    }
}

impl TablePool for Pool {
    type Page = Page;

    /// Takes a page that was set aside. Never allocates.
    fn allocate(&mut self) -> Option<u64> {
        let (address, node) = self.spare.take_any()?;
        self.used.put(node);
        Some(address)
    }

    fn page(&self, table: u64) -> &Page {
        self.used.pages.get(&table).unwrap_or(&NO_PAGE)
    }

    fn free(&mut self, table: u64) {
        if let Some(node) = self.used.take(&table) {
            self.retired.put(node);
        }
    }
}

/// The page table of an address space. It is emptied before the GPU's parent is unbound.
#[pin_data]
pub(crate) struct Table {
    #[pin]
    pages: Mutex<Option<PageTable<Pool>>>,
    fault: SetOnce<Fault>,
}

impl Table {
    pub(super) fn new(dev: &Device<Bound>, geometry: Geometry) -> Result<Arc<Self>> {
        let mut pool = Pool::new();
        pool.spare.put(new_page(dev)?);
        let pages = PageTable::new(pool, geometry).map_err(errno)?;
        Arc::pin_init(
            pin_init!(Self {
                pages <- new_mutex!(Some(pages), "tyr::Table::pages"),
                fault: SetOnce::new(),
            }),
            GFP_KERNEL,
        )
    }

    /// Returns the first error of the table, if any. The GPU no longer sees the table then.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault.copy()
    }

    pub(super) fn lock(&self) -> Guard<'_, Option<PageTable<Pool>>, MutexBackend> {
        self.pages.lock()
    }

    /// Marks the table as faulted. Only the first fault is kept.
    pub(super) fn fail(&self, fault: Fault) {
        self.fault.populate(fault);
    }

    pub(super) fn reserve(this: &Arc<Self>, dev: &Device<Bound>, count: usize) -> Result<Reserve> {
        // Pages are counted from here on, so that concurrent callers together stay within the
        // limit.
        let reserve = Self::reserve_pages(this, count)?;
        while this.lacks_pages()? {
            // Allocate outside of the lock, because this may wait for memory and fences wait for
            // changes, which take the lock.
            let page = new_page(dev)?;
            let mut pages = this.pages.lock();
            let pool = (*pages).as_mut().ok_or(ECANCELED)?.pool_mut();
            pool.spare.put(page);
        }
        Ok(reserve)
    }

    /// Promises spare pages that are yet to be allocated.
    fn reserve_pages(this: &Arc<Self>, count: usize) -> Result<Reserve> {
        let mut pages = this.pages.lock();
        let pool = (*pages).as_mut().ok_or(ECANCELED)?.pool_mut();
        if count > MAX_PAGES.saturating_sub(pool.used.count + pool.reserved) {
            return Err(ENOMEM);
        }
        pool.reserved += count;
        Ok(Reserve {
            table: this.clone(),
            count,
        })
    }

    /// Returns whether more spare pages are reserved than exist.
    fn lacks_pages(&self) -> Result<bool> {
        let mut pages = self.pages.lock();
        let pool = (*pages).as_mut().ok_or(ECANCELED)?.pool_mut();
        Ok(pool.spare.count < pool.reserved)
    }
}

/// Tables that are set aside for a change. Dropping this releases them.
pub(crate) struct Reserve {
    table: Arc<Table>,
    count: usize,
}

impl Reserve {
    /// Releases the unused pages after the change was made, and the pages that the GPU no longer
    /// reads.
    pub(super) fn release(mut self, pages: &mut PageTable<Pool>) {
        let pool = pages.pool_mut();
        pool.reserved -= core::mem::take(&mut self.count);
        pool.trim();
        pool.retired = Pages::new();
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        if self.count != 0 {
            if let Some(pages) = (*self.table.pages.lock()).as_mut() {
                pages.pool_mut().reserved -= self.count;
                pages.pool_mut().trim();
            }
        }
    }
}

/// A change in progress.
pub(crate) struct Change<'a>(&'a mut PageTable<Pool>);

impl<'a> Change<'a> {
    pub(super) fn new(pages: &'a mut PageTable<Pool>) -> Self {
        Self(pages)
    }

    /// Borrows the change for a shorter time.
    pub(crate) fn reborrow(&mut self) -> Change<'_> {
        Change(self.0)
    }

    /// Maps `size` bytes from `va` to contiguous memory at the GPU's address `pa`.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if the range is not whole pages or exceeds the last address. Fails with
    /// `EEXIST` if something is mapped there, and with `ENOMEM` if too little memory was set aside.
    /// Nothing has changed then.
    pub(crate) fn map(&mut self, va: u64, pa: u64, size: u64, attributes: Attributes) -> Result {
        self.0.map(va, pa, size, attributes).map_err(errno)
    }

    /// Maps `size` bytes from `va` to those at `offset` of the memory of `sgt`.
    ///
    /// # Errors
    ///
    /// Fails with the errors of [`map`](Self::map), and with `EINVAL` if the range exceeds the
    /// memory. Nothing has changed then.
    pub(crate) fn map_pages(
        &mut self,
        va: u64,
        sgt: &SGTable,
        offset: u64,
        size: u64,
        attributes: Attributes,
    ) -> Result {
        let mut done = 0;
        let result = pieces(sgt, offset, size).try_for_each(|(pa, length)| {
            self.map(va + done, pa, length, attributes)?;
            done += length;
            Ok(())
        });
        let result = match result {
            Ok(()) if done < size => Err(EINVAL),
            result => result,
        };
        if result.is_err() && done != 0 {
            // The range was mapped just now, in entries of its own. No block is split, so this
            // needs no tables.
            let _ = self.0.unmap(va, done);
        }
        result
    }

    /// Unmaps `size` bytes from `va`. Splits blocks at the ends. Returns the number of bytes that
    /// were mapped.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if the range is not whole pages or exceeds the last address, and with
    /// `ENOMEM` if too little memory was set aside. Nothing has changed then.
    pub(crate) fn unmap(&mut self, va: u64, size: u64) -> Result<u64> {
        self.0.unmap(va, size).map_err(errno)
    }
}

/// Returns the pieces of `size` bytes at `offset` of the memory of `sgt`, with their addresses for
/// the GPU. Returns fewer bytes if the memory is shorter.
pub(super) fn pieces(
    sgt: &SGTable,
    offset: u64,
    size: u64,
) -> impl Iterator<Item = (u64, u64)> + '_ {
    let (mut skip, mut left) = (offset, size);
    sgt.iter().filter_map(move |piece| {
        let length: u64 = piece.dma_len();
        let skipped = skip.min(length);
        let taken = (length - skipped).min(left);
        skip -= skipped;
        left -= taken;
        (taken != 0).then_some((piece.dma_address() + skipped, taken))
    })
}

/// Returns the range of a change, extended to all blocks that its ends may split.
pub(super) fn blocks_around(pages: &PageTable<Pool>, va: u64, size: u64) -> Range<u64> {
    let end = va.saturating_add(size);
    let (mut first, mut last) = (va, end);
    if let Some(to) = pages.translate(va) {
        let block = span(to.level);
        first = va & !(block - 1);
        last = last.max(first + block);
    }
    if let Some(to) = pages.translate(end.saturating_sub(1)) {
        let block = span(to.level);
        let start = end.saturating_sub(1) & !(block - 1);
        first = first.min(start);
        last = last.max(start + block);
    }
    first..last
}

/// Returns the number of bytes that an entry of `level` maps.
fn span(level: u32) -> u64 {
    match level {
        1 => 1 << 30,
        2 => 2 << 20,
        _ => mali_mmu::PAGE_SIZE,
    }
}

fn errno(error: mali_mmu::Error) -> Error {
    match error {
        mali_mmu::Error::Unaligned | mali_mmu::Error::Range => EINVAL,
        mali_mmu::Error::Mapped(_) => EEXIST,
        mali_mmu::Error::NoMemory => ENOMEM,
        mali_mmu::Error::TableAddress(_) => EIO,
    }
}
