// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Fences: the promise that some work on a buffer will be finished, and the signal that it is.
//!
//! [`Fence`] is any fence of the system, whoever issued it. A driver issues its own with a [`Signaler`],
//! which it gets from a [`Class`] (one fence on a timeline of its own), from a [`Timeline`] (fences that
//! are finished in order), or from a [`Pending`] set (fences that end when their hardware does):
//!
//! ```
//! # use drm::{fence::Timeout, gem::Class as _};
//! static FENCES: fence::Class = fence::Class::of::<Mini>(c"unbound");
//!
//! # fn example(object: &Object) -> Result {
//! let work = FENCES.issue(Some(Timeout::from_secs(10)))?;
//! object.resv().attach(&work, Usage::Write)?; // a `Signaler` dereferences to its `Fence`
//! // … later, in any context:
//! if !work.signal() {
//!     return Err(ETIMEDOUT); // the timer was first
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # How a fence ends (L19)
//!
//! What C demands of fences that may outlive the module that issued them, each point with its place in
//! `drivers/dma-buf/dma-fence.c` and `include/linux/dma-fence.h`:
//!
//! - `dma_fence_signal_timestamp_locked` sets `ops` to null when the operations have neither `release`
//!   nor `wait`; from then on only C code and the fence's own memory are used. Ours have neither.
//! - The lock must be the fence's own (`dma_fence_init` with a null lock: `DMA_FENCE_FLAG_INLINE_LOCK_BIT`),
//!   since it is taken after the signal too (`dma_fence_get_status`, `dma_fence_remove_callback`).
//! - Without `release`, `dma_fence_release` frees by `kfree_rcu(fence)`: the fence lies at offset 0 of a
//!   kmalloc allocation, nothing in that allocation has drop glue, and every resource ends at the signal.
//! - Readers of the names and of `ops` stand in an RCU read-side section. They may still be there after
//!   the signal; `free_module` waits for a grace period between a module's exit and freeing its memory.
//! - A fence whose last reference goes while callbacks wait is an error (a warning, and `EDEADLK` for
//!   those callbacks): the issuer holds a reference until it has signalled. A [`Signaler`] does.
//!
//! So the text and the names that an *unsignalled* fence needs must stay: the operations and the timer
//! function are in `drm_rust.ko`, which stays as long as any driver that links to it, and each unsignalled
//! fence holds a reference on the module of its [`Class`]. Whoever signals first puts that reference, and
//! does so from text of `drm_rust.ko`. That is L15: either the caller runs in the driver's text, which then
//! something else keeps in place anyway, or it is the timer's softirq, which the grace period in
//! `free_module` waits for.
//!
//! A [`Signaler`] that is forgotten (`mem::forget`, a cycle of counted references) is a leak and nothing
//! worse: its fence ends by its timeout or by its [`Pending`] set; if it has neither, waiters wait, and the
//! reference on the module keeps `rmmod` from ever freeing what the fence uses.
//!
//! The kernel frees a module whose *init* fails whatever references there are (`do_init_module()`). So the module's
//! runtime (`module.rs`) waits until those are given back: `insmod` hangs until the fence ends, rather than that its
//! end runs in freed text.
//!
//! C header: `include/linux/dma-fence.h`

mod callback;
mod class;
mod issued;
mod pending;
mod signaler;

pub use callback::Callback;
pub use class::{
    Class,
    Timeline, //
};
pub use pending::Pending;
pub use signaler::Signaler;

use crate::raw;
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::to_result,
    ffi::{
        c_int,
        c_long, //
    },
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    time::{
        msecs_to_jiffies,
        Jiffies,
        Msecs, //
    },
    types::Opaque, //
};

/// A span of time after which a fence expires or a wait gives up, in units of the kernel's timer tick.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timeout(Jiffies);

impl Timeout {
    /// No time at all: a wait only looks.
    pub const ZERO: Self = Self(0);

    /// For ever (`MAX_SCHEDULE_TIMEOUT`).
    pub const MAX: Self = Self(c_long::MAX as Jiffies);

    /// `seconds`, known when compiling.
    pub const fn from_secs(seconds: u32) -> Self {
        Self(seconds as Jiffies * raw::DRM_RUST_HZ)
    }

    /// `milliseconds`, rounded up to whole ticks.
    pub fn from_millis(milliseconds: Msecs) -> Self {
        Self::from_jiffies(msecs_to_jiffies(milliseconds))
    }

    /// `jiffies`, at most [`MAX`](Self::MAX).
    pub fn from_jiffies(jiffies: Jiffies) -> Self {
        Self(jiffies).min(Self::MAX)
    }

    /// The number of ticks.
    pub const fn jiffies(self) -> Jiffies {
        self.0
    }

    /// The signed form in which C's waits take it.
    fn as_schedule_timeout(self) -> c_long {
        // All ways to make one stay below `MAX`: `from_secs` because of the width of its argument.
        self.0 as c_long
    }

    /// What a wait of C returned: an error, zero when the time is up, or what is left of it.
    pub(crate) fn from_wait(ret: c_long) -> Result<Self> {
        match ret {
            0 => Err(ETIME),
            left if left > 0 => Ok(Self(left as Jiffies)),
            // CAST: Errors of C are at least `-MAX_ERRNO`.
            error => Err(Error::from_errno(error as c_int)),
        }
    }
}

/// A fence, as every driver and client may hold it: to ask, to wait, to be called.
///
/// Reference counted by C; [`ARef<Fence>`] is the owned form, made from a reference with
/// `ARef::from(fence)`. Taking and dropping references needs no particular context.
///
/// # Examples
///
/// ```
/// # use drm::fence::Timeout;
/// fn finished(fence: &Fence) -> Result<bool> {
///     match fence.wait_timeout(Timeout::from_secs(1)) {
///         Ok(_) => fence.status().unwrap_or(Ok(())).map(|()| true),
///         Err(e) if e == ETIME => Ok(false),
///         Err(e) => Err(e),
///     }
/// }
/// ```
///
/// # Invariants
///
/// The `struct dma_fence` is initialised, and its reference count is at least one while a reference to
/// this type lives.
#[repr(transparent)]
pub struct Fence(Opaque<bindings::dma_fence>);

// SAFETY: A fence is made to be shared among drivers; all access goes through C functions that lock (L15).
unsafe impl Send for Fence {}
// SAFETY: As above (L15).
unsafe impl Sync for Fence {}

// SAFETY: The count of `struct dma_fence` keeps it alive, and each fence has one (L21).
unsafe impl AlwaysRefCounted for Fence {
    #[inline]
    fn inc_ref(&self) {
        // SAFETY: By the type invariants the count is at least one (L21).
        unsafe { raw::drm_rust_dma_fence_get(self.as_raw()) };
    }

    #[inline]
    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller gives up a reference that it owns (L21).
        unsafe { raw::drm_rust_dma_fence_put(obj.cast().as_ptr()) };
    }
}

impl Fence {
    /// The fence at `fence`.
    ///
    /// # Safety
    ///
    /// `fence` points to an initialised `struct dma_fence` whose count stays above zero for `'a` (L21).
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(fence: *mut bindings::dma_fence) -> &'a Self {
        // CAST: `Self` is a transparent wrapper around `struct dma_fence`.
        // INVARIANT, SAFETY: The caller promises both (L21).
        unsafe { &*fence.cast() }
    }

    /// Takes over the reference at `fence`; `None` for null.
    ///
    /// # Safety
    ///
    /// `fence` is null or a pointer to a fence with a reference that the caller gives away (L21).
    pub(crate) unsafe fn take_raw(fence: *mut bindings::dma_fence) -> Option<ARef<Self>> {
        let fence = NonNull::new(fence)?;
        // CAST: As in `from_raw`. SAFETY: The caller gives the reference away (L21).
        Some(unsafe { ARef::from_raw(fence.cast()) })
    }

    /// The C structure.
    #[inline]
    pub(crate) fn as_raw(&self) -> *mut bindings::dma_fence {
        self.0.get()
    }

    /// A fence that is signalled already, for places that must have one (`dma_fence_get_stub`).
    ///
    /// It is one and the same fence for the whole system. Context: any.
    pub fn signaled() -> ARef<Self> {
        // SAFETY: No preconditions; it returns a reference that we own (L21).
        let stub = unsafe { Self::take_raw(bindings::dma_fence_get_stub()) };
        // PANIC: The stub is a static of the kernel.
        stub.expect("the kernel has a stub fence from boot on")
    }

    /// Whether the fence is signalled.
    ///
    /// Asks the issuer as well, who may find out just now and signal it. Context: any, but not while
    /// holding the fence's lock unless it is signalled, as a [`Callback`]'s fence is.
    #[inline]
    pub fn is_signaled(&self) -> bool {
        // SAFETY: By the type invariants (L21).
        unsafe { raw::drm_rust_dma_fence_is_signaled(self.as_raw()) }
    }

    /// How the work ended: `None` while it has not, then success or the issuer's error.
    ///
    /// Context: any, a callback of this fence included.
    pub fn status(&self) -> Option<Result> {
        // SAFETY: By the type invariants (L21).
        match unsafe { raw::drm_rust_dma_fence_status(self.as_raw()) } {
            0 => None,
            // One stands for success.
            status if status > 0 => Some(Ok(())),
            error => Some(to_result(error)),
        }
    }

    /// The timeline that the fence is on: a number that no other timeline of this boot has.
    #[inline]
    pub fn context(&self) -> u64 {
        // SAFETY: By the type invariants; the field never changes (L21).
        unsafe { (*self.as_raw()).context }
    }

    /// The place of the fence on its timeline. Comparable only among fences of one
    /// [`context`](Self::context).
    #[inline]
    pub fn seqno(&self) -> u64 {
        // SAFETY: By the type invariants; the field never changes (L21).
        unsafe { (*self.as_raw()).seqno }
    }

    /// Whether the fence stands for several others: a chain (a point on a [sync object's](crate::syncobj)
    /// timeline) or an array. Such a fence cannot go into a [reservation object](crate::resv).
    #[inline]
    pub fn is_container(&self) -> bool {
        // SAFETY: By the type invariants. The pointer is written when the fence is signalled, and C reads it
        // without a lock likewise; it is only compared (L19).
        let ops = unsafe { (&raw const (*self.as_raw()).ops).read_volatile() };
        ops == &raw const bindings::dma_fence_array_ops
            || ops == &raw const bindings::dma_fence_chain_ops
    }

    /// Waits until the fence is signalled; a signal to the calling task ends the wait.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` when interrupted. That the *work* failed is no error of the wait; ask
    /// [`status`](Self::status).
    ///
    /// Context: process context; sleeps. Any [reservation object](crate::resv) may be locked, but no
    /// lock that the issuer needs to get the work done.
    pub fn wait(&self) -> Result {
        self.wait_timeout(Timeout::MAX).map(|_| ())
    }

    /// Like [`wait`](Self::wait), for at most `timeout`. Returns what is left of it, at least one tick.
    ///
    /// # Errors
    ///
    /// `ETIME` when the time is up, `ERESTARTSYS` when interrupted.
    pub fn wait_timeout(&self, timeout: Timeout) -> Result<Timeout> {
        Timeout::from_wait(self.wait_raw(true, timeout))
    }

    /// Like [`wait_timeout`](Self::wait_timeout), but nothing interrupts it.
    ///
    /// Only for places that cannot give up, such as tearing down, and with a bound on the time.
    ///
    /// # Errors
    ///
    /// `ETIME` when the time is up.
    pub fn wait_uninterruptible(&self, timeout: Timeout) -> Result<Timeout> {
        Timeout::from_wait(self.wait_raw(false, timeout))
    }

    fn wait_raw(&self, interruptible: bool, timeout: Timeout) -> c_long {
        // SAFETY: By the type invariants, and the caller's reference keeps the fence for the wait (L21).
        unsafe {
            bindings::dma_fence_wait_timeout(
                self.as_raw(),
                interruptible,
                timeout.as_schedule_timeout(),
            )
        }
    }

    /// Asks the issuer to finish the work soon, for instance because a display waits for it; most issuers
    /// ignore it. `deadline` is in nanoseconds of the monotonic clock. Context: any.
    pub fn set_deadline(&self, deadline: i64) {
        // SAFETY: By the type invariants (L21).
        unsafe { bindings::dma_fence_set_deadline(self.as_raw(), deadline) };
    }
}
