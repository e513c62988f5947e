// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The common properties of fences: their classes and timelines.
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

/// The common properties of the fences of one kind: their names, their module, and the result of
/// dropping a signaller.
///
/// Declare it as a `static` in the driver. The names appear where the kernel describes fences to
/// people (`/sys/kernel/debug/dma_buf/bufinfo`, tracepoints) and in `SYNC_IOC_FILE_INFO`.
pub struct Class {
    driver_name: &'static CStr,
    timeline_name: &'static CStr,
    module: &'static ThisModule,
    /// The error of a fence whose [`Signaler`] is dropped; zero for success.
    dropped: c_int,
}

impl Class {
    /// Creates a class of fences that the module `M` issues. Pass `LocalModule` as `M`.
    ///
    /// `M`, and with it the class and its names, stays loaded while a fence of the class is not
    /// signalled. A driver cannot name the type of another module. (If another module lent a name,
    /// whatever keeps that module loaded keeps the name.)
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

    /// Creates a class of fences of the driver `T`, under that driver's name.
    pub const fn of<T: Driver>(timeline_name: &'static CStr) -> Self {
        Self::new::<T::OwnerModule>(T::INFO.name, timeline_name)
    }

    /// Makes a dropped [`Signaler`] mean success instead of `ECANCELED`.
    ///
    /// Use this for fences that a client signals, and whose end without a signal is no failure (as
    /// in C's `vgem`).
    pub const fn success_when_dropped(mut self) -> Self {
        self.dropped = 0;
        self
    }

    /// Issues a fence on a timeline of its own, that is, without an order relative to others.
    ///
    /// With a `timeout`, the fence is signalled without an error when the time has passed. The
    /// kernel requires every fence to end in reasonable time, regardless of clients and hardware.
    /// Pass a timeout unless something else guarantees that. Until the fence is signalled, its
    /// module cannot be unloaded. Its device can be unbound.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, and with `ENODEV` if the module is being unloaded.
    ///
    /// Context: process context; may sleep to allocate.
    pub fn issue(&'static self, timeout: Option<Timeout>) -> Result<Signaler> {
        let signaler = Signaler::new(self, Point::single(), timeout.is_some(), None)?;
        signaler.start(timeout);
        Ok(signaler)
    }

    /// Returns the module that is kept loaded; null if there is none.
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

/// A sequence of fences that finish in the order in which they were issued.
///
/// Other code relies on that order: a reservation object keeps only the last fence of a timeline
/// for each usage. Signal the fences in order. A queue whose jobs may finish in any order needs one
/// timeline per job.
pub struct Timeline {
    class: &'static Class,
    context: u64,
    issued: Atomic<u64>,
}

impl Timeline {
    /// Creates a timeline for fences of `class`. Context: any.
    pub fn new(class: &'static Class) -> Self {
        Self {
            class,
            context: Point::new_context(),
            issued: Atomic::new(0),
        }
    }

    /// Returns the number that [`Fence::context`](super::Fence::context) returns for fences of this
    /// timeline.
    pub fn context(&self) -> u64 {
        self.context
    }

    /// Issues the next fence. `timeout`, errors and context as for [`Class::issue`].
    ///
    /// Concurrent callers get different places, in no particular order. Hold the lock that orders
    /// the jobs.
    pub fn issue(&self, timeout: Option<Timeout>) -> Result<Signaler> {
        let signaler = Signaler::new(self.class, self.next(), timeout.is_some(), None)?;
        signaler.start(timeout);
        Ok(signaler)
    }

    pub(super) fn class(&self) -> &'static Class {
        self.class
    }

    pub(super) fn next(&self) -> Point {
        Point {
            context: self.context,
            seqno: self.issued.fetch_add(1, Relaxed) + 1,
        }
    }
}

/// The point of a fence: its timeline and its number on that timeline.
pub(super) struct Point {
    pub(super) context: u64,
    pub(super) seqno: u64,
}

impl Point {
    /// Returns the first point of a new timeline.
    #[inline]
    pub(super) fn single() -> Self {
        Self {
            context: Self::new_context(),
            seqno: 1,
        }
    }

    #[inline]
    fn new_context() -> u64 {
        // SAFETY: There are no preconditions. The number of contexts is not zero (L19).
        unsafe { bindings::dma_fence_context_alloc(1) }
    }
}
