// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Address spaces: page tables, the MMU slots in which some of them are resident, and faults.
//!
//! [`AddressSpaces`] owns everything, and lives as long as the registration. A client holds an
//! [`Arc<Table>`] that is emptied before the GPU's parent is unbound. So no table's memory is
//! mapped for DMA after that (L5), and later changes to the table fail with `ECANCELED`.
//!
//! [`AddressSpaces::change`] changes a table. If the table is resident, it locks the region that
//! changes, makes the change, flushes, and unlocks. [`AddressSpaces::reserve`] sets memory for
//! tables aside in advance, so a change that a fence waits for allocates nothing.
//!
//! Locks, outer first: [`Table`]'s, then `slots`, then that of a cache flush. They may be taken in
//! code that a fence waits for, so nothing is allocated under them. `tables` is taken after none of
//! these. A client's address space may be locked when it is taken, and fences wait for that too.
//!
//! Source: `crates/mali-mmu`, `crates/mali-regs` (`mmu.rs`); drivers/gpu/drm/panthor/panthor_mmu.c for the order of
//! commands.

mod command;
mod fault;
mod table;

pub(crate) use fault::{
    Fault,
    IrqHandler, //
};
pub(crate) use table::{
    Change,
    Reserve,
    Table, //
};

use crate::hw::gpu::Gpu;
use kernel::{
    new_mutex,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode, //
    },
    scatterlist::SGTable,
    sync::{
        Arc,
        Mutex, //
    },
};
use mali_mmu::{
    Geometry,
    BLOCK_SIZE, //
};
use mali_regs::mmu::{
    memattr,
    TransCfg,
    MAX_ADDRESS_SPACES, //
};

/// The slot of the microcontroller's table. It is never used for another table.
const MCU: usize = 0;

/// All address spaces of a GPU.
#[pin_data]
pub(crate) struct AddressSpaces<'bound> {
    gpu: Arc<Gpu<'bound>>,
    geometry: Geometry,
    #[pin]
    slots: Mutex<Slots>,
    #[pin]
    tables: Mutex<Tables>,
}

/// All existing tables.
struct Tables(RBTree<usize, Arc<Table>>);

/// The MMU slots and the tables resident in them.
struct Slots {
    slots: [Slot; MAX_ADDRESS_SPACES],
    /// The number of uses of tables so far. The table with the lowest number of last use loses its
    /// slot.
    uses: u64,
    /// Whether the GPU has lost its state or does not respond. It gets no commands then.
    suspended: bool,
}

#[derive(Default)]
struct Slot {
    table: Option<Arc<Table>>,
    used: u64,
}

impl Slot {
    /// Returns whether the MMU failed to answer for the slot's table.
    fn is_lost(&self) -> bool {
        let fault = self.table.as_ref().and_then(|table| table.fault());
        fault.is_some_and(|fault| fault.is_lost())
    }
}

impl<'bound> AddressSpaces<'bound> {
    /// Creates an empty set of address spaces. The level 2 cache must be on.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if tables do not support the widths of the GPU's addresses, and with
    /// `ENOMEM`.
    pub(crate) fn new(gpu: Arc<Gpu<'bound>>) -> Result<Arc<Self>> {
        let features = gpu.info.mmu_features;
        let geometry = Geometry::new(features.va_bits(), features.pa_bits())
            .ok_or(EINVAL)
            .inspect_err(|_| {
                dev_err!(
                    gpu.dev,
                    "MMU_FEATURES = {:#x}: no such tables\n",
                    features.0
                )
            })?;
        if gpu.info.as_present & 1 << MCU == 0 || gpu.info.as_present.count_ones() < 2 {
            dev_err!(
                gpu.dev,
                "AS_PRESENT = {:#x}: one for the firmware and one for clients are needed\n",
                gpu.info.as_present
            );
            return Err(EINVAL);
        }
        Arc::pin_init(
            try_pin_init!(Self {
                gpu,
                geometry,
                tables <- new_mutex!(Tables(RBTree::new()), "tyr::AddressSpaces::tables"),
                slots <- new_mutex!(Slots {
                    slots: Default::default(),
                    uses: 0,
                    suspended: false,
                }, "tyr::AddressSpaces::slots"),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Returns the widths of addresses.
    pub(crate) fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Creates an empty table. It takes a slot when it is first changed.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn create(&self) -> Result<Arc<Table>> {
        let table = Table::new(self.gpu.dev, self.geometry)?;
        let node = RBTreeNode::new(key(&table), table.clone(), GFP_KERNEL)?;
        self.tables.lock().0.insert(node);
        Ok(table)
    }

    /// Ends a table: the MMU drops it, and its memory is freed. Its holders can no longer change
    /// it. A second call does nothing.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn destroy(&self, table: &Arc<Table>) {
        if let Some(fault) = table.fault() {
            dev_dbg!(
                self.gpu.dev,
                "an address space goes that faulted at {:#x} (AS_FAULTSTATUS = {:#x})\n",
                fault.address,
                fault.status
            );
        }
        let mut pages = table.lock();
        let mut slots = self.slots.lock();
        if self.evict(&mut slots, table).is_err() {
            // The GPU may still read the table, so it stays until nothing can, which is when all
            // tables are freed.
            table.fail(Fault::LOST);
            return;
        }
        drop(slots);
        drop(pages.take());
        drop(pages);
        let node = self.tables.lock().0.remove_node(&key(table));
        drop(node);
    }

    /// Sets tables aside for one later [`change`](Self::change) of `table`, which needs at most
    /// `count` of them.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, and with `ECANCELED` if the table was ended. Context: process context,
    /// may sleep, allocates.
    pub(crate) fn reserve(&self, table: &Arc<Table>, count: usize) -> Result<Reserve> {
        Table::reserve(table, self.gpu.dev, count)
    }

    /// Returns the number of tables to [`reserve`](Self::reserve) for a change that maps `size`
    /// bytes at `offset` of the memory of `sgt` to `va`, after unmapping everything there. Fewer
    /// are needed where blocks can be used.
    pub(crate) fn tables_for_pages(&self, va: u64, sgt: &SGTable, offset: u64, size: u64) -> usize {
        let pieces = table::pieces(sgt, offset, size);
        self.geometry.tables_for_pieces(va, pieces) + self.geometry.tables_for_unmap()
    }

    /// Returns the number of tables to reserve for a change that maps the block of the memory of
    /// `sgt` repeatedly.
    pub(crate) fn tables_for_dummy(&self, va: u64, sgt: &SGTable, size: u64) -> usize {
        let is_block = |(pa, length): (u64, u64)| pa % BLOCK_SIZE == 0 && length == BLOCK_SIZE;
        let tables = if table::pieces(sgt, 0, BLOCK_SIZE)
            .next()
            .is_some_and(is_block)
        {
            self.geometry.tables_for_blocks(va, size)
        } else {
            self.geometry.tables_for_map(va, size)
        };
        tables + self.geometry.tables_for_unmap()
    }

    /// Returns the number of tables to reserve for a change that unmaps one range.
    pub(crate) fn tables_for_unmap(&self) -> usize {
        self.geometry.tables_for_unmap()
    }

    /// Changes the mappings of `size` bytes from `va` with the calls that `f` makes, and makes the
    /// GPU see the change. If the GPU is not suspended, the table is resident afterwards. Nothing
    /// else accesses the region in the meantime.
    ///
    /// The call uses up `reserve`. If `f` fails, its earlier changes stay, and the GPU sees them.
    ///
    /// # Errors
    ///
    /// Fails with any error from `f`, with `ECANCELED` if the table was ended, and with `ENODEV` if
    /// the GPU does not respond. Fails with `ETIMEDOUT` if the MMU does not answer. The table is
    /// then marked as faulted, and is no longer resident. Nothing is allocated.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn change<R>(
        &self,
        table: &Arc<Table>,
        reserve: Reserve,
        va: u64,
        size: u64,
        f: impl FnOnce(&mut Change<'_>) -> Result<R>,
    ) -> Result<R> {
        let mut pages = table.lock();
        let pages = (*pages).as_mut().ok_or(ECANCELED)?;
        let mut slots = self.slots.lock();
        let region = table::blocks_around(pages, va, size);
        let slot = self.make_resident(&mut slots, table, pages.root())?;
        if let Some(slot) = slot {
            command::lock(&self.gpu, slot, region).map_err(|error| self.mark_lost(table, error))?;
        }
        let result = f(&mut Change::new(pages));
        if let Some(slot) = slot {
            // Without an answer, the GPU may still read tables that are no longer used, so they are
            // kept.
            command::flush_and_unlock(&self.gpu, slot)
                .map_err(|error| self.mark_lost(table, error))?;
        }
        reserve.release(pages);
        result
    }

    /// Changes a table like [`change`](Self::change), but the GPU must not see the table yet.
    pub(crate) fn change_inactive<R>(
        &self,
        table: &Arc<Table>,
        reserve: Reserve,
        f: impl FnOnce(&mut Change<'_>) -> Result<R>,
    ) -> Result<R> {
        let mut pages = table.lock();
        let pages = (*pages).as_mut().ok_or(ECANCELED)?;
        let result = f(&mut Change::new(pages));
        reserve.release(pages);
        result
    }

    /// Makes the microcontroller's table resident in the slot reserved for it.
    ///
    /// # Errors
    ///
    /// Fails with `ENODEV`, and with `ETIMEDOUT` if the MMU does not answer.
    pub(crate) fn activate_mcu(&self, table: &Arc<Table>) -> Result {
        let pages = table.lock();
        let root = (*pages).as_ref().ok_or(ENODEV)?.root();
        let mut slots = self.slots.lock();
        slots.slots[MCU].table = Some(table.clone());
        command::enable(&self.gpu, MCU, self.setup(root))
    }

    /// Makes the MMU drop all tables, because the GPU is about to lose its power. It gets no more
    /// commands until [`resume`](Self::resume).
    ///
    /// # Errors
    ///
    /// Fails with `ETIMEDOUT` if the MMU does not answer for a table, and may still see it; a line
    /// in the log says so. A GPU that is gone sees no tables.
    pub(crate) fn suspend(&self) -> Result {
        let mut slots = self.slots.lock();
        if slots.suspended {
            return Ok(());
        }
        slots.suspended = true;
        let mut result = Ok(());
        for slot in 0..MAX_ADDRESS_SPACES {
            let Some(table) = slots.slots[slot].table.clone() else {
                continue;
            };
            match command::disable(&self.gpu, slot) {
                // The table must not become resident again.
                Ok(()) if slots.slots[slot].is_lost() => slots.slots[slot].table = None,
                Ok(()) => {}
                Err(ENODEV) => return Ok(()),
                Err(error) => result = Err(self.mark_lost(&table, error)),
            }
        }
        result
    }

    /// Restores the tables that were resident after the GPU has lost its state and is powered
    /// again. The microcontroller's table is not restored here; booting the firmware does that.
    ///
    /// # Errors
    ///
    /// Fails with `ENODEV`, and with `ETIMEDOUT` if the MMU does not answer.
    pub(crate) fn resume(&self) -> Result {
        // Reads the roots first, because the lock order forbids taking each table's lock under
        // `slots`.
        let mut roots = [None; MAX_ADDRESS_SPACES];
        for (slot, root) in roots
            .iter_mut()
            .enumerate()
            .filter(|(slot, _)| *slot != MCU)
        {
            let table = self.slots.lock().slots[slot].table.clone();
            let good = table.filter(|table| table.fault().is_none());
            *root = good.and_then(|table| (*table.lock()).as_ref().map(|pages| pages.root()));
        }
        let mut slots = self.slots.lock();
        slots.suspended = false;
        for (slot, root) in roots.iter().enumerate() {
            match root {
                Some(root) => command::enable(&self.gpu, slot, self.setup(*root))?,
                None => slots.slots[slot].table = None,
            }
        }
        Ok(())
    }

    /// Returns the slot of `table`, and takes one for it if it has none. Returns `None` if the GPU
    /// must not see it.
    fn make_resident(
        &self,
        slots: &mut Slots,
        table: &Arc<Table>,
        root: u64,
    ) -> Result<Option<usize>> {
        if table.fault().is_some() {
            // A table that the MMU may still see must not change.
            self.evict(slots, table)?;
            return Ok(None);
        }
        if slots.suspended || self.gpu.is_reset() {
            return Ok(None);
        }
        slots.uses += 1;
        let uses = slots.uses;
        if let Some(slot) = slots.slot_of(table) {
            slots.slots[slot].used = uses;
            return Ok(Some(slot));
        }
        let Some(slot) = slots.choose(self.gpu.info.as_present) else {
            return Ok(None);
        };
        if let Some(other) = slots.slots[slot].table.clone() {
            self.evict(slots, &other)
                .map_err(|error| self.mark_lost(&other, error))?;
        }
        slots.slots[slot] = Slot {
            table: Some(table.clone()),
            used: uses,
        };
        command::enable(&self.gpu, slot, self.setup(root))
            .map_err(|error| self.mark_lost(table, error))?;
        Ok(Some(slot))
    }

    /// Returns the MMU's configuration for a table.
    fn setup(&self, root: u64) -> command::Setup {
        let cached = if self.gpu.coherent {
            memattr::WRITE_BACK_COHERENT
        } else {
            memattr::WRITE_BACK
        };
        let mut kinds = [memattr::FAULT; 8];
        kinds[usize::from(mali_mmu::memory::UNCACHED)] = memattr::UNCACHED;
        kinds[usize::from(mali_mmu::memory::CACHED)] = cached;
        command::Setup {
            root,
            attributes: memattr::pack(kinds),
            config: TransCfg::aarch64_4k(self.gpu.info.mmu_features.va_bits(), self.gpu.coherent),
        }
    }

    /// Frees a table's slot, if it has one.
    fn evict(&self, slots: &mut Slots, table: &Arc<Table>) -> Result {
        let Some(slot) = slots.slot_of(table) else {
            return Ok(());
        };
        self.free_slot(slots, slot)
    }

    /// Makes the MMU drop the table of a slot.
    fn free_slot(&self, slots: &mut Slots, slot: usize) -> Result {
        if !slots.suspended {
            command::disable(&self.gpu, slot)?;
        } else if slots.slots[slot].is_lost() && !self.gpu.is_reset() {
            // The MMU did not drop the table when the GPU was put to sleep, and it can get no
            // commands now.
            return Err(ETIMEDOUT);
        }
        slots.slots[slot].table = None;
        Ok(())
    }

    /// Marks a table as lost, because the MMU did not answer for it. It is unknown what the MMU
    /// sees, so the table keeps its slot until the MMU confirms that it has dropped it. Returns the
    /// error.
    fn mark_lost(&self, table: &Arc<Table>, error: Error) -> Error {
        table.fail(Fault::LOST);
        error
    }
}

impl Slots {
    fn slot_of(&self, table: &Arc<Table>) -> Option<usize> {
        let is_it = |slot: &Slot| {
            let other = slot.table.as_ref();
            other.is_some_and(|other| Arc::ptr_eq(other, table))
        };
        self.slots.iter().position(is_it)
    }

    /// Returns a free slot, or the least recently used one. It is never the microcontroller's slot,
    /// nor one that does not answer.
    fn choose(&self, present: u32) -> Option<usize> {
        let theirs = (0..MAX_ADDRESS_SPACES).filter(|slot| {
            *slot != MCU && present >> slot & 1 != 0 && !self.slots[*slot].is_lost()
        });
        theirs.min_by_key(|slot| match &self.slots[*slot] {
            slot if slot.table.is_none() => 0,
            slot => slot.used,
        })
    }
}

impl Drop for Tables {
    /// Frees all tables. The GPU is suspended, or can no longer access memory, and its parent is
    /// still bound.
    fn drop(&mut self) {
        for table in self.0.values() {
            drop(table.lock().take());
        }
    }
}

/// Returns the key of a table among all tables: its address.
fn key(table: &Arc<Table>) -> usize {
    core::ptr::from_ref(&**table).addr()
}
