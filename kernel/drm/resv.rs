// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Reservation objects: the fences of a buffer, shared by everyone who shares the buffer.
//!
//! Each buffer has one, borrowed from it as [`Resv`]. Importers and exporters of a dma-buf see the
//! same one. A driver checks whether conflicting work is under way, waits for it, and adds the
//! fences of its own work, each with a [`Usage`]:
//!
//! ```
//! # use drm::gem::Class as _;
//! # fn example(object: &Object, fence: &Fence, write: bool) -> Result {
//! let resv = object.resv();
//! if !resv.is_signaled(Usage::for_access(write)) {
//!     return Err(EBUSY);
//! }
//! resv.attach(fence, if write { Usage::Write } else { Usage::Read })?;
//! # Ok(())
//! # }
//! ```
//!
//! C header: `include/linux/dma-resv.h`

use crate::{
    fence::{
        Fence,
        Timeout, //
    },
    raw, //
};
use core::{
    marker::PhantomData,
    ptr::null_mut, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// Says what the work behind a fence does with the buffer. A query for a usage includes all usages
/// before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u32)]
pub enum Usage {
    /// The kernel's own moves of the buffer's memory; all other work must wait for these.
    Kernel = bindings::dma_resv_usage_DMA_RESV_USAGE_KERNEL,
    /// A client's writes that others synchronise with implicitly.
    Write = bindings::dma_resv_usage_DMA_RESV_USAGE_WRITE,
    /// A client's reads that others synchronise with implicitly.
    Read = bindings::dma_resv_usage_DMA_RESV_USAGE_READ,
    /// Work that takes no part in implicit synchronisation, such as page-table updates or submissions that
    /// are synchronised explicitly.
    Bookkeep = bindings::dma_resv_usage_DMA_RESV_USAGE_BOOKKEEP,
}

impl Usage {
    /// Returns the usage that a new access must wait for: a write waits for all reads and writes, a
    /// read for the writes (`dma_resv_usage_rw`).
    pub const fn for_access(write: bool) -> Self {
        if write {
            Self::Read
        } else {
            Self::Write
        }
    }
}

/// The reservation object of a buffer.
///
/// # Invariants
///
/// The `struct dma_resv` is initialised while a reference to this type lives. During that time no
/// task that has exited holds its lock: locks are taken only by functions here that release them
/// (see [`lock`](Self::lock)).
#[repr(transparent)]
pub struct Resv(Opaque<bindings::dma_resv>);

// SAFETY: C protects it with a lock against writers and with RCU for readers (L15).
unsafe impl Send for Resv {}
// SAFETY: As above (L15).
unsafe impl Sync for Resv {}

impl Resv {
    /// Returns the reservation object at `resv`.
    ///
    /// # Safety
    ///
    /// `resv` points to an initialised `struct dma_resv` that stays for `'a` (L22).
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(resv: *mut bindings::dma_resv) -> &'a Self {
        // CAST: `Self` is a transparent wrapper around `struct dma_resv`.
        // INVARIANT, SAFETY: The caller promises it (L22).
        unsafe { &*resv.cast() }
    }

    #[inline]
    pub(crate) fn as_raw(&self) -> *mut bindings::dma_resv {
        self.0.get()
    }

    /// Returns whether all fences of `usage` and of the usages before it are signalled.
    ///
    /// The check takes no lock, so other code may add fences right after it. Context: any but NMI.
    /// Do not call it under a lock that a [`Callback`](crate::fence::Callback) takes: it asks the
    /// issuers, which may notice only now that their work is done, and signal.
    #[inline]
    pub fn is_signaled(&self, usage: Usage) -> bool {
        // SAFETY: By the type invariants (L22).
        unsafe { bindings::dma_resv_test_signaled(self.as_raw(), usage as u32) }
    }

    /// Waits until all fences of `usage` and of the usages before it are signalled, or the calling
    /// task gets a signal. Returns the remaining part of `timeout`.
    ///
    /// # Errors
    ///
    /// Fails with `ETIME` if the time is up, and with `ERESTARTSYS` if interrupted.
    ///
    /// Context: process context; sleeps. The lock may be held or not. Without it, the wait may or
    /// may not include fences that are added in the meantime.
    pub fn wait(&self, usage: Usage, timeout: Timeout) -> Result<Timeout> {
        // SAFETY: By the type invariants (L22).
        let ret = unsafe {
            bindings::dma_resv_wait_timeout(self.as_raw(), usage as u32, true, timeout.jiffies())
        };
        Timeout::from_wait(ret)
    }

    /// Calls `function` with the reservation object locked.
    ///
    /// This takes a closure rather than returning a guard. If safe code could leave the lock locked
    /// forever, the lock would outlive the buffer that contains it, and the task that C records as
    /// its owner.
    ///
    /// Context: process context; sleeps. The caller must not have locked another reservation object
    /// (that takes a context against deadlocks, which this function does not use). Nor may the
    /// caller hold a lock that is taken while a reservation object is locked: page faults,
    /// `mmap_lock`, and the issuing of fences are *outside* of it.
    ///
    /// Do not drop the last reference to a buffer in `function`: freeing a buffer locks its own
    /// reservation object, after a lock that mapping a buffer takes first.
    #[inline]
    pub fn lock<R>(&self, function: impl FnOnce(&mut Locked<'_>) -> R) -> R {
        // SAFETY: By the type invariants. Without a context the call cannot fail (L22).
        unsafe { bindings::dma_resv_lock(self.as_raw(), null_mut()) };
        // SAFETY: The object was just locked (L22).
        unsafe { self.run_locked(function) }
    }

    /// Calls `function` like [`lock`](Self::lock). If the object is already locked, returns `None`
    /// without calling it.
    ///
    /// Context: process context, because a mutex cannot be unlocked in an interrupt. Does not sleep
    /// by itself. Otherwise as for [`lock`](Self::lock).
    #[inline]
    pub fn try_lock<R>(&self, function: impl FnOnce(&mut Locked<'_>) -> R) -> Option<R> {
        // SAFETY: By the type invariants (L22).
        if !unsafe { raw::drm_rust_dma_resv_trylock(self.as_raw()) } {
            return None;
        }
        // SAFETY: The object was just locked (L22).
        Some(unsafe { self.run_locked(function) })
    }

    /// # Safety
    ///
    /// The caller has locked the object, and leaves unlocking to this function (L22).
    #[inline]
    unsafe fn run_locked<R>(&self, function: impl FnOnce(&mut Locked<'_>) -> R) -> R {
        // INVARIANT: The object is locked, and is unlocked only after `locked` is dropped.
        let mut locked = Locked {
            resv: self,
            _task: NotThreadSafe,
        };
        let result = function(&mut locked);

        // SAFETY: We hold the lock, by the requirement (L22).
        unsafe { bindings::dma_resv_unlock(self.as_raw()) };
        result
    }

    /// Adds `fence` for `usage`: locks, makes room, adds, unlocks.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM` if there is no room. Fails with `EINVAL` if the fence represents several
    /// (see [`Fence::is_container`]); add those one by one.
    ///
    /// Context: as for [`lock`](Self::lock).
    #[inline]
    pub fn attach(&self, fence: &Fence, usage: Usage) -> Result {
        self.lock(|locked| locked.reserve(1)?.add(fence, usage))
    }
}

/// A [`Resv`] that the calling task has locked. It exists only within [`Resv::lock`].
///
/// # Invariants
///
/// The calling task holds the lock while this value lives.
pub struct Locked<'a> {
    resv: &'a Resv,
    _task: NotThreadSafe,
}

impl Locked<'_> {
    /// Makes room for `count` fences, so that adding them cannot fail for lack of memory.
    ///
    /// Unused room is lost when the lock is released. Reserving again replaces the previous
    /// reservation.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`. Context: may sleep to allocate.
    #[inline]
    pub fn reserve(&mut self, count: u16) -> Result<Slots<'_>> {
        // C warns about a count of zero, and computes with 32 bits without checking for overflows.
        // Hence the argument's type.
        if count > 0 {
            // SAFETY: By the type invariants the object is locked (L22).
            let ret =
                unsafe { bindings::dma_resv_reserve_fences(self.resv.as_raw(), count.into()) };
            to_result(ret)?;
        }
        // INVARIANT: There is room for `count` while the lock is held, for which `self` is
        // borrowed.
        Ok(Slots {
            resv: self.resv,
            left: count,
            _locked: PhantomData,
        })
    }

    /// Returns whether all fences of `usage` and of the usages before it are signalled.
    pub fn is_signaled(&self, usage: Usage) -> bool {
        self.resv.is_signaled(usage)
    }
}

/// Room for some fences in a locked [`Resv`].
///
/// # Invariants
///
/// `resv` is locked and has room for `left` more fences.
pub struct Slots<'a> {
    resv: &'a Resv,
    left: u16,
    _locked: PhantomData<(&'a mut (), NotThreadSafe)>,
}

impl Slots<'_> {
    /// Adds `fence` for `usage`, which uses a slot. The buffer gets a reference of its own.
    ///
    /// A later fence of a timeline replaces an earlier one, so a [timeline](crate::fence::Timeline)
    /// must be signalled in order.
    ///
    /// # Errors
    ///
    /// Fails with `ENOSPC` if no slot is left, and with `EINVAL` for a
    /// [container](Fence::is_container).
    #[inline]
    pub fn add(&mut self, fence: &Fence, usage: Usage) -> Result {
        if self.left == 0 {
            return Err(ENOSPC);
        }
        if fence.is_container() {
            return Err(EINVAL);
        }
        // INVARIANT: The call uses at most one slot.
        self.left -= 1;
        // SAFETY: By the type invariants the object is locked and has room: C calls `BUG` otherwise
        // (L22).
        unsafe { bindings::dma_resv_add_fence(self.resv.as_raw(), fence.as_raw(), usage as u32) };
        Ok(())
    }
}
