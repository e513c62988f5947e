// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A file's address spaces, by number.

use super::{
    Space,
    DUMMY_SIZE, //
};
use crate::{
    buffer::{
        Args,
        Object, //
    },
    driver::Tyr,
    hw::Hardware, //
};
use drm::{
    gpuvm::{
        Owner,
        Vm, //
    },
    Plugged, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Mutex, //
    },
};

/// The maximum number of address spaces of a file, as in the C driver.
const MAX_VMS: usize = 32;

/// The minimum size in bytes of the kernel's part.
const MIN_KERNEL: u64 = 256 << 20;

/// An owner whose queue ends before the address space does.
struct Entry(Owner<Space>);

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.queue.close();
    }
}

/// The address spaces of a file. They end when the file is closed.
#[pin_data]
pub(crate) struct Pool {
    /// The address space with number `n` is at `n - 1`.
    #[pin]
    entries: Mutex<[Option<Entry>; MAX_VMS]>,
    /// The memory that sparse mappings show, created with the first one. The GPU may write to it,
    /// so each client has its own.
    #[pin]
    dummy: Mutex<Option<ARef<Object>>>,
}

impl Pool {
    /// Creates an empty pool.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            entries <- new_mutex!([const { None }; MAX_VMS], "tyr::Pool"),
            dummy <- new_mutex!(None, "tyr::Pool::dummy"),
        })
    }

    /// Creates an address space. Returns its number.
    ///
    /// # Errors
    ///
    /// Fails with `EBUSY` if there are too many, and with `ENOMEM`. Context: process context, may
    /// sleep.
    pub(crate) fn create(
        &self,
        plugged: &Plugged<'_, Tyr>,
        hw: &Hardware<'_>,
        user_end: u64,
    ) -> Result<u32> {
        let entry = Entry(Space::create(plugged, hw, user_end)?);
        let mut entries = self.entries.lock();
        let Some(slot) = entries.iter().position(Option::is_none) else {
            // Unlock first, because this ends an address space.
            drop(entries);
            return Err(EBUSY);
        };
        entries[slot] = Some(entry);
        Ok(slot as u32 + 1)
    }

    /// Ends the address space with number `id`: unmaps everything in it, and cancels the operations
    /// in its queue.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if there is none. Context: process context, may sleep.
    pub(crate) fn destroy(&self, id: u32) -> Result {
        let mut entries = self.entries.lock();
        let slot = index(id).and_then(|index| entries.get_mut(index));
        let entry = slot.and_then(Option::take).ok_or(EINVAL)?;
        drop(entries);
        drop(entry);
        Ok(())
    }

    /// Returns the memory that sparse mappings of the file's address spaces show.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`. Context: process context, may sleep.
    pub(super) fn dummy(
        &self,
        plugged: &Plugged<'_, Tyr>,
        hw: &Hardware<'_>,
    ) -> Result<ARef<Object>> {
        let mut dummy = self.dummy.lock();
        if let Some(dummy) = &*dummy {
            return Ok(dummy.clone());
        }
        let new = Object::new(plugged, DUMMY_SIZE, Args::own(hw.gpu.coherent))?;
        *dummy = Some(new.clone());
        Ok(new)
    }

    /// Returns the address space with number `id`. It may end while the caller has it.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if there is none. Context: process context.
    pub(crate) fn get(&self, id: u32) -> Result<ARef<Vm<Space>>> {
        let entries = self.entries.lock();
        let slot = index(id).and_then(|index| entries.get(index));
        let entry = slot.and_then(Option::as_ref).ok_or(EINVAL)?;
        Ok(ARef::from(&*entry.0))
    }
}

/// Returns the index in a pool of the address space with number `id`.
fn index(id: u32) -> Option<usize> {
    (id as usize).checked_sub(1)
}

/// Returns the end of the client's part of `full` bytes of addresses. The client requests `wanted`,
/// or a default (0).
///
/// The kernel's part is a power of two, so the client may get more than it requested.
///
/// # Errors
///
/// Fails with `EINVAL` if too little would be left to the kernel.
pub(crate) fn user_end(wanted: u64, full: u64) -> Result<u64> {
    let max = full
        .checked_sub(MIN_KERNEL)
        .filter(|max| *max != 0)
        .ok_or(EINVAL)?;
    // The C driver uses the size of a process's address space if that is smaller than the GPU's. On
    // this machine the result is the same half of 48 bits.
    let user = match wanted {
        0 => max.min(full / 2),
        wanted if wanted <= max => wanted,
        _ => return Err(EINVAL),
    };
    let kernel = full - user;
    Ok(full - (1 << kernel.ilog2()))
}
