// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What fences have in common: their class, and the timelines on which they stand.
//!
//! C header: `include/linux/dma-fence.h`

use super::{
    Signaler,
    Timeout, //
};
use crate::{
    module::ModuleRuntime,
    Driver, //
};
use kernel::{
    bindings,
    ffi::{
        c_char,
        c_int, //
    },
    module::this_module,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// What the fences of one kind have in common: their names, their module, and what dropping means.
///
/// A `static` in the driver. The names appear where the kernel describes fences to people
/// (`/sys/kernel/debug/dma_buf/bufinfo`, tracepoints) and in `SYNC_IOC_FILE_INFO`.
pub struct Class {
    driver_name: &'static CStr,
    timeline_name: &'static CStr,
    module: &'static ThisModule,
    /// The error that a fence gets whose [`Signaler`] is dropped; zero for success.
    dropped: c_int,
}

impl Class {
    /// A class of fences that the module `M` issues; write `LocalModule` for it.
    ///
    /// `M` is kept loaded while a fence of the class is not signalled, and with it the class and its names: a driver can name
    /// no other module's type. (A name that another module lent is kept by what keeps that module.)
    pub const fn new<M: ModuleRuntime>(
        driver_name: &'static CStr,
        timeline_name: &'static CStr,
    ) -> Self {
        Self {
            driver_name,
            timeline_name,
            module: this_module::<M>(),
            dropped: -(bindings::ECANCELED as c_int),
        }
    }

    /// A class of fences of the driver `T`, under that driver's name.
    pub const fn of<T: Driver>(timeline_name: &'static CStr) -> Self {
        Self::new::<T::OwnerModule>(T::INFO.name, timeline_name)
    }

    /// Makes dropping a [`Signaler`] mean success instead of `ECANCELED`.
    ///
    /// For fences that a client signals, and whose end without it is no failure (as with C's `vgem`).
    pub const fn success_when_dropped(mut self) -> Self {
        self.dropped = 0;
        self
    }

    /// Issues a fence on a timeline of its own, that is, without an order among others.
    ///
    /// With a `timeout`, the fence is signalled without an error when that has passed. The kernel's rule
    /// is that every fence ends in reasonable time whatever clients and hardware do: pass one unless
    /// something else guarantees that. Until the fence is signalled, its module cannot be unloaded; its
    /// device can be unbound.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENODEV` when the module is being unloaded.
    ///
    /// Context: process context; may sleep to allocate.
    pub fn issue(&'static self, timeout: Option<Timeout>) -> Result<Signaler> {
        let signaler = Signaler::new(self, Place::alone(), timeout.is_some(), None)?;
        signaler.start(timeout);
        Ok(signaler)
    }

    /// The module that is kept loaded; null if there is none.
    #[inline]
    pub(super) fn module(&self) -> *mut bindings::module {
        self.module.as_ptr()
    }

    #[inline]
    pub(super) fn error_when_dropped(&self) -> c_int {
        self.dropped
    }

    pub(super) fn driver_name(&self) -> *const c_char {
        self.driver_name.as_char_ptr()
    }

    pub(super) fn timeline_name(&self) -> *const c_char {
        self.timeline_name.as_char_ptr()
    }
}

/// A sequence of fences that are finished in the order in which they were issued.
///
/// Others rely on that order: a reservation object keeps only the last fence of a timeline for each usage.
/// Signal them in order; a queue whose jobs may finish in any order needs one timeline per job.
pub struct Timeline {
    class: &'static Class,
    context: u64,
    issued: Atomic<u64>,
}

impl Timeline {
    /// A new timeline for fences of `class`. Context: any.
    pub fn new(class: &'static Class) -> Self {
        Self {
            class,
            context: Place::new_context(),
            issued: Atomic::new(0),
        }
    }

    /// The number that [`Fence::context`](super::Fence::context) returns for fences of this timeline.
    pub fn context(&self) -> u64 {
        self.context
    }

    /// Issues the next fence. `timeout`, errors and context as for [`Class::issue`].
    ///
    /// Concurrent callers get different places, in no particular order: hold the lock that orders the
    /// jobs.
    pub fn issue(&self, timeout: Option<Timeout>) -> Result<Signaler> {
        let signaler = Signaler::new(self.class, self.next(), timeout.is_some(), None)?;
        signaler.start(timeout);
        Ok(signaler)
    }

    pub(super) fn class(&self) -> &'static Class {
        self.class
    }

    pub(super) fn next(&self) -> Place {
        Place {
            context: self.context,
            seqno: self.issued.fetch_add(1, Relaxed) + 1,
        }
    }
}

/// Where a fence stands: its timeline and its number there.
pub(super) struct Place {
    pub(super) context: u64,
    pub(super) seqno: u64,
}

impl Place {
    /// The first place of a new timeline.
    #[inline]
    pub(super) fn alone() -> Self {
        Self {
            context: Self::new_context(),
            seqno: 1,
        }
    }

    #[inline]
    fn new_context() -> u64 {
        // SAFETY: No preconditions; the number of contexts is not zero (L19).
        unsafe { bindings::dma_fence_context_alloc(1) }
    }
}
