// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Reservation objects: the fences that a buffer carries, for everyone who shares the buffer.
//!
//! Each buffer has one, borrowed from it as [`Resv`]; importers and exporters of a dma-buf see the same
//! one. A driver asks whether conflicting work is under way, waits for it, and adds the fences of its own
//! work, each with a [`Usage`]:
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

/// What the work behind a fence does with the buffer; asking for a usage includes all before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u32)]
pub enum Usage {
    /// The kernel's own moves of the buffer's memory; everybody must wait for these.
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
    /// What a new access must wait for: a write for all reads and writes, a read for the writes
    /// (`dma_resv_usage_rw`).
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
/// The `struct dma_resv` is initialised while a reference to this type lives, and so long its lock is held
/// by nobody who has gone: locks are taken by functions here that release them (see
/// [`lock`](Self::lock)).
#[repr(transparent)]
pub struct Resv(Opaque<bindings::dma_resv>);

// SAFETY: C protects it with a lock against writers and with RCU for readers (L15).
unsafe impl Send for Resv {}
// SAFETY: As above (L15).
unsafe impl Sync for Resv {}

impl Resv {
    /// The reservation object at `resv`.
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

    /// Whether all fences of `usage` and those before it are signalled.
    ///
    /// A look without the lock: others may add fences right after. Context: any but NMI; not under a lock that a
    /// [`Callback`](crate::fence::Callback) takes, since it asks the issuers, who may find out just now and signal.
    #[inline]
    pub fn is_signaled(&self, usage: Usage) -> bool {
        // SAFETY: By the type invariants (L22).
        unsafe { bindings::dma_resv_test_signaled(self.as_raw(), usage as u32) }
    }

    /// Waits until all fences of `usage` and those before it are signalled; a signal to the calling task
    /// ends the wait. Returns what is left of `timeout`.
    ///
    /// # Errors
    ///
    /// `ETIME` when the time is up, `ERESTARTSYS` when interrupted.
    ///
    /// Context: process context; sleeps. The lock may be held or not; without it, fences that are added
    /// meanwhile may be waited for or not.
    pub fn wait(&self, usage: Usage, timeout: Timeout) -> Result<Timeout> {
        // SAFETY: By the type invariants (L22).
        let ret = unsafe {
            bindings::dma_resv_wait_timeout(self.as_raw(), usage as u32, true, timeout.jiffies())
        };
        Timeout::from_wait(ret)
    }

    /// Calls `function` with the reservation object locked.
    ///
    /// A closure and not a guard: a lock that safe code can leave locked for ever would outlive the buffer
    /// in which it lies, and the task that C notes as its owner.
    ///
    /// Context: process context; sleeps. No other reservation object may be locked by the caller (that
    /// takes a context against deadlocks, which this function does not use), nor a lock that is taken
    /// while one is locked: page faults, `mmap_lock`, and the issuing of fences are *outside* of it. Nor may the
    /// last reference to a buffer go within: freeing it locks its own, after a lock that mapping a buffer takes first.
    #[inline]
    pub fn lock<R>(&self, function: impl FnOnce(&mut Locked<'_>) -> R) -> R {
        // SAFETY: By the type invariants. Without a context the call cannot fail (L22).
        unsafe { bindings::dma_resv_lock(self.as_raw(), null_mut()) };
        // SAFETY: It was just locked (L22).
        unsafe { self.run_locked(function) }
    }

    /// Like [`lock`](Self::lock), or `None` without calling `function` when it is locked already.
    ///
    /// Context: process context, since a mutex cannot be unlocked in an interrupt. Does not sleep by itself. Otherwise as for
    /// [`lock`](Self::lock).
    #[inline]
    pub fn try_lock<R>(&self, function: impl FnOnce(&mut Locked<'_>) -> R) -> Option<R> {
        // SAFETY: By the type invariants (L22).
        if !unsafe { raw::drm_rust_dma_resv_trylock(self.as_raw()) } {
            return None;
        }
        // SAFETY: It was just locked (L22).
        Some(unsafe { self.run_locked(function) })
    }

    /// # Safety
    ///
    /// The caller has locked it, and leaves unlocking to this function (L22).
    #[inline]
    unsafe fn run_locked<R>(&self, function: impl FnOnce(&mut Locked<'_>) -> R) -> R {
        // INVARIANT: It is locked, and is unlocked only after `locked` is gone.
        let mut locked = Locked {
            resv: self,
            _task: NotThreadSafe,
        };
        let result = function(&mut locked);

        // SAFETY: We hold the lock, by the caller (L22).
        unsafe { bindings::dma_resv_unlock(self.as_raw()) };
        result
    }

    /// Adds `fence` for `usage`: locks, makes room, adds, unlocks.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when there is no room; `EINVAL` when the fence stands for several (see
    /// [`Fence::is_container`]): add those one by one.
    ///
    /// Context: as for [`lock`](Self::lock).
    #[inline]
    pub fn attach(&self, fence: &Fence, usage: Usage) -> Result {
        self.lock(|locked| locked.reserve(1)?.add(fence, usage))
    }
}

/// A [`Resv`] that the calling task has locked; only within [`Resv::lock`].
///
/// # Invariants
///
/// The calling task holds the lock while this lives.
pub struct Locked<'a> {
    resv: &'a Resv,
    _task: NotThreadSafe,
}

impl Locked<'_> {
    /// Makes room for `count` fences, so that adding them cannot fail for lack of memory.
    ///
    /// Room that is not used when the lock is released is lost; reserving again replaces what was reserved
    /// before.
    ///
    /// # Errors
    ///
    /// `ENOMEM`. Context: may sleep to allocate.
    #[inline]
    pub fn reserve(&mut self, count: u16) -> Result<Slots<'_>> {
        // C warns about a count of zero, and computes with 32 bits without looking for overflows: hence
        // the argument's type.
        if count > 0 {
            // SAFETY: By the type invariants it is locked (L22).
            let ret =
                unsafe { bindings::dma_resv_reserve_fences(self.resv.as_raw(), count.into()) };
            to_result(ret)?;
        }
        // INVARIANT: There is room for `count`, while the lock is held, which `self` is borrowed for.
        Ok(Slots {
            resv: self.resv,
            left: count,
            _locked: PhantomData,
        })
    }

    /// Whether all fences of `usage` and those before it are signalled.
    pub fn is_signaled(&self, usage: Usage) -> bool {
        self.resv.is_signaled(usage)
    }
}

/// Room for some fences in a locked [`Resv`].
///
/// # Invariants
///
/// `resv` is locked and has room for `left` fences more.
pub struct Slots<'a> {
    resv: &'a Resv,
    left: u16,
    _locked: PhantomData<(&'a mut (), NotThreadSafe)>,
}

impl Slots<'_> {
    /// Adds `fence` for `usage`, which takes a slot; the buffer gets a reference of its own.
    ///
    /// A fence that is later on the same timeline takes the place of the earlier one, so that a
    /// [timeline](crate::fence::Timeline) must be signalled in order.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when no slot is left; `EINVAL` for a [container](Fence::is_container).
    #[inline]
    pub fn add(&mut self, fence: &Fence, usage: Usage) -> Result {
        if self.left == 0 {
            return Err(ENOSPC);
        }
        if fence.is_container() {
            return Err(EINVAL);
        }
        // INVARIANT: The call takes one slot at most.
        self.left -= 1;
        // SAFETY: By the type invariants it is locked and has room: C has a `BUG_ON` for the contrary (L22).
        unsafe { bindings::dma_resv_add_fence(self.resv.as_raw(), fence.as_raw(), usage as u32) };
        Ok(())
    }
}
