// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A page table whose pages the GPU reads by DMA.
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

/// Entries of a table.
const ENTRIES: usize = mali_mmu::PAGE_SIZE as usize / 8;

/// The page of a table: memory that the GPU reads. None is a table that does not exist: nothing is mapped by it.
pub(super) struct Page(Option<Coherent<[u64; ENTRIES]>>);

static NOTHING: Page = Page(None);

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

/// A zeroed page.
fn new_page(dev: &Device<Bound>) -> Result<RBTreeNode<u64, Page>> {
    let page = Coherent::zeroed(dev, GFP_KERNEL | __GFP_NOWARN)?;
    RBTreeNode::new(
        page.dma_address(),
        Page(Some(page)),
        GFP_KERNEL | __GFP_NOWARN,
    )
}

/// The most pages that an address space may have or be promised, 256 MiB of them. The client's memory bounds what it maps
/// of objects, but sparse mappings need none, of 128 GiB at most for this reason.
const MOST: usize = 1 << 16;

/// How many spare pages a table keeps: as many as mapping a page may take.
const KEPT: usize = 7;

/// Pages by their addresses for the GPU. A page that moves from one map to another needs no memory.
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
    /// Tables.
    used: Pages,
    /// Zeroed pages that were set aside.
    spare: Pages,
    /// Tables that are none any more, which the GPU may still read.
    retired: Pages,
    /// How many spare pages changes were promised that are still to come.
    promised: usize,
}

impl Pool {
    fn new() -> Self {
        Self {
            used: Pages::new(),
            spare: Pages::new(),
            retired: Pages::new(),
            promised: 0,
        }
    }

    /// Frees the pages that nobody was promised, but for some that the next change will want.
    fn trim(&mut self) {
        while self.spare.count > self.promised + KEPT {
            drop(self.spare.take_any());
        }
    }
}

impl TablePool for Pool {
    type Page = Page;

    /// From what was set aside only.
    fn allocate(&mut self) -> Option<u64> {
        let (address, node) = self.spare.take_any()?;
        self.used.put(node);
        Some(address)
    }

    fn page(&self, table: u64) -> &Page {
        self.used.pages.get(&table).unwrap_or(&NOTHING)
    }

    fn free(&mut self, table: u64) {
        if let Some(node) = self.used.take(&table) {
            self.retired.put(node);
        }
    }
}

/// The page table of an address space. Emptied before the GPU's parent is unbound.
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

    /// What went wrong with it first, if something did: the GPU does not see it any more then.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault.copy()
    }

    pub(super) fn lock(&self) -> Guard<'_, Option<PageTable<Pool>>, MutexBackend> {
        self.pages.lock()
    }

    /// Marks it. Only the first time counts.
    pub(super) fn fail(&self, fault: Fault) {
        self.fault.populate(fault);
    }

    pub(super) fn reserve(this: &Arc<Self>, dev: &Device<Bound>, count: usize) -> Result<Reserve> {
        // Counted from here on, so that many who ask at once stay within the bound together.
        let reserve = Self::promise(this, count)?;
        while this.lacks_pages()? {
            // Not under the lock, which changes take where a fence waits: this may wait for memory.
            let page = new_page(dev)?;
            let mut pages = this.pages.lock();
            let pool = (*pages).as_mut().ok_or(ECANCELED)?.pool_mut();
            pool.spare.put(page);
        }
        Ok(reserve)
    }

    /// Promises spare pages that are still to be found.
    fn promise(this: &Arc<Self>, count: usize) -> Result<Reserve> {
        let mut pages = this.pages.lock();
        let pool = (*pages).as_mut().ok_or(ECANCELED)?.pool_mut();
        if count > MOST.saturating_sub(pool.used.count + pool.promised) {
            return Err(ENOMEM);
        }
        pool.promised += count;
        Ok(Reserve {
            table: this.clone(),
            count,
        })
    }

    /// Whether more spare pages are promised than there are.
    fn lacks_pages(&self) -> Result<bool> {
        let mut pages = self.pages.lock();
        let pool = (*pages).as_mut().ok_or(ECANCELED)?.pool_mut();
        Ok(pool.spare.count < pool.promised)
    }
}

/// Tables that were set aside for a change; given back if there is none.
pub(crate) struct Reserve {
    table: Arc<Table>,
    count: usize,
}

impl Reserve {
    /// The change was made: what it did not need goes, and with it what the GPU does not read any more.
    pub(super) fn used(mut self, pages: &mut PageTable<Pool>) {
        let pool = pages.pool_mut();
        pool.promised -= core::mem::take(&mut self.count);
        pool.trim();
        pool.retired = Pages::new();
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        if self.count != 0 {
            if let Some(pages) = (*self.table.pages.lock()).as_mut() {
                pages.pool_mut().promised -= self.count;
                pages.pool_mut().trim();
            }
        }
    }
}

/// A change that is being made.
pub(crate) struct Change<'a>(&'a mut PageTable<Pool>);

impl<'a> Change<'a> {
    pub(super) fn new(pages: &'a mut PageTable<Pool>) -> Self {
        Self(pages)
    }

    /// The same change, for a shorter time.
    pub(crate) fn reborrow(&mut self) -> Change<'_> {
        Change(self.0)
    }

    /// Maps `size` bytes from `va` to memory that lies together, at the address `pa` for the GPU.
    ///
    /// # Errors
    ///
    /// `EINVAL` for what is not of whole pages, or beyond the last address; `EEXIST` if something is mapped there;
    /// `ENOMEM` if too little was set aside. Nothing has changed then.
    pub(crate) fn map(&mut self, va: u64, pa: u64, size: u64, attributes: Attributes) -> Result {
        self.0.map(va, pa, size, attributes).map_err(errno)
    }

    /// Maps `size` bytes from `va` to those at `offset` of the memory of `sgt`.
    ///
    /// # Errors
    ///
    /// As for [`map`](Self::map); `EINVAL` if that is beyond the memory. Nothing has changed then.
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
            // It was mapped just now, in entries of its own: no block is split, so this takes no tables.
            let _ = self.0.unmap(va, done);
        }
        result
    }

    /// Unmaps `size` bytes from `va`, and says how many of them were mapped. Blocks at the ends are split.
    ///
    /// # Errors
    ///
    /// `EINVAL` for what is not of whole pages, or beyond the last address; `ENOMEM` if too little was set aside.
    /// Nothing has changed then.
    pub(crate) fn unmap(&mut self, va: u64, size: u64) -> Result<u64> {
        self.0.unmap(va, size).map_err(errno)
    }
}

/// The pieces of `size` bytes at `offset` of the memory of `sgt`, as the GPU addresses them; fewer if there is less.
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

/// The range of a change, with all of the blocks through which its ends may cut.
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

/// Bytes that an entry of `level` maps.
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
