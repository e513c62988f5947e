// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A file's address spaces, by number.

use super::{
    Space,
    FILLER, //
};
use crate::{
    buffer::{
        Args,
        Object, //
    },
    driver::Tyr,
    hardware::Hardware, //
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

/// How many address spaces a file may have, as with the C driver.
const MAX: usize = 32;

/// What is left to the kernel at least, in bytes.
const MIN_KERNEL: u64 = 256 << 20;

/// An owner whose queue ends before the address space does.
struct Entry(Owner<Space>);

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.queue.close();
    }
}

/// The address spaces of a file. They end with it.
#[pin_data]
pub(crate) struct Pool {
    /// The address space with number `n` is at `n - 1`.
    #[pin]
    entries: Mutex<[Option<Entry>; MAX]>,
    /// What sparse mappings show, made when there is the first. The GPU may write to it, so each client has its own.
    #[pin]
    filler: Mutex<Option<ARef<Object>>>,
}

impl Pool {
    /// None yet.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            entries <- new_mutex!([const { None }; MAX], "tyr::Pool"),
            filler <- new_mutex!(None, "tyr::Pool::filler"),
        })
    }

    /// Makes an address space; returns its number.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there are too many, `ENOMEM`. Context: process context, may sleep.
    pub(super) fn create(
        &self,
        plugged: &Plugged<'_, Tyr>,
        hw: &Hardware<'_>,
        user_end: u64,
    ) -> Result<u32> {
        let entry = Entry(Space::create(plugged, hw, user_end)?);
        let mut entries = self.entries.lock();
        let Some(place) = entries.iter().position(Option::is_none) else {
            // Not under the lock: it ends an address space.
            drop(entries);
            return Err(EBUSY);
        };
        entries[place] = Some(entry);
        Ok(place as u32 + 1)
    }

    /// Ends the address space with number `id`: nothing is mapped in it any more, and what waits in its queue is
    /// cancelled.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is none. Context: process context, may sleep.
    pub(super) fn destroy(&self, id: u32) -> Result {
        let mut entries = self.entries.lock();
        let slot = index(id).and_then(|index| entries.get_mut(index));
        let entry = slot.and_then(Option::take).ok_or(EINVAL)?;
        drop(entries);
        drop(entry);
        Ok(())
    }

    /// What sparse mappings of the file's address spaces show.
    ///
    /// # Errors
    ///
    /// `ENOMEM`. Context: process context, may sleep.
    pub(super) fn filler(
        &self,
        plugged: &Plugged<'_, Tyr>,
        hw: &Hardware<'_>,
    ) -> Result<ARef<Object>> {
        let mut filler = self.filler.lock();
        if let Some(filler) = &*filler {
            return Ok(filler.clone());
        }
        let new = Object::new(plugged, FILLER, Args::own(hw.gpu.coherent))?;
        *filler = Some(new.clone());
        Ok(new)
    }

    /// The address space with number `id`. It may be ended while the caller has it.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is none. Context: process context.
    pub(crate) fn get(&self, id: u32) -> Result<ARef<Vm<Space>>> {
        let entries = self.entries.lock();
        let slot = index(id).and_then(|index| entries.get(index));
        let entry = slot.and_then(Option::as_ref).ok_or(EINVAL)?;
        Ok(ARef::from(&*entry.0))
    }
}

/// Where in a pool the address space with number `id` is.
fn index(id: u32) -> Option<usize> {
    (id as usize).checked_sub(1)
}

/// The end of what a client gets of `full` bytes of addresses, if it asks for `wanted`, or for what is sensible (0).
///
/// The kernel's part is a power of two, so that the client may get more than it wanted.
///
/// # Errors
///
/// `EINVAL` if too little would be left to the kernel.
pub(super) fn user_end(wanted: u64, full: u64) -> Result<u64> {
    let most = full
        .checked_sub(MIN_KERNEL)
        .filter(|most| *most != 0)
        .ok_or(EINVAL)?;
    // The C driver takes the size of a process's address space if that is smaller than the GPU's, which makes
    // the same half of 48 bits on this machine.
    let user = match wanted {
        0 => most.min(full / 2),
        wanted if wanted <= most => wanted,
        _ => return Err(EINVAL),
    };
    let kernel = full - user;
    Ok(full - (1 << kernel.ilog2()))
}
