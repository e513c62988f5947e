// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Fences: each promises that some work on a buffer will finish, and signals when it has finished.
//!
//! [`Fence`] is any fence of the system, whichever driver issued it. A driver issues its own fences
//! with a [`Signaler`]. It gets one from a [`Class`] (one fence on a timeline of its own), from a
//! [`Timeline`] (fences that finish in order), or from a [`Pending`] set (fences that end when
//! their hardware does):
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
//! C requires the following of fences that may outlive the module that issued them. Each point
//! refers to `drivers/dma-buf/dma-fence.c` and `include/linux/dma-fence.h`:
//!
//! - `dma_fence_signal_timestamp_locked` sets `ops` to null if the operations have neither
//!   `release` nor `wait`. From then on only C code and the fence's own memory are used. Our
//!   operations have neither.
//! - The lock must be the fence's own (`dma_fence_init` with a null lock:
//!   `DMA_FENCE_FLAG_INLINE_LOCK_BIT`), because it is also taken after the signal
//!   (`dma_fence_get_status`, `dma_fence_remove_callback`).
//! - Without `release`, `dma_fence_release` frees the fence by `kfree_rcu(fence)`. So the fence
//!   lies at offset 0 of a kmalloc allocation, nothing in that allocation has drop glue, and every
//!   resource is released at the signal.
//! - Readers of the names and of `ops` are in an RCU read-side section. They may still be there
//!   after the signal. `free_module` waits for a grace period between a module's exit and freeing
//!   its memory.
//! - Dropping a fence's last reference while callbacks wait is an error (a warning, and `EDEADLK`
//!   for those callbacks). So the issuer holds a reference until it has signalled. A [`Signaler`]
//!   does.
//!
//! So the text and the names that an *unsignalled* fence needs must stay. The operations and the
//! timer function are in `drm_rust.ko`, which stays loaded as long as any driver that links to it.
//! Each unsignalled fence holds a reference on the module of its [`Class`]. The first signal puts
//! that reference, from text of `drm_rust.ko`. That is L15: either the caller runs in the driver's
//! text, which something else then keeps loaded anyway, or it is the timer's softirq, which the
//! grace period in `free_module` waits for.
//!
//! A forgotten [`Signaler`] (`mem::forget`, a cycle of counted references) is only a leak. Its
//! fence ends by its timeout or by its [`Pending`] set. If it has neither, waiters keep waiting,
//! and the reference on the module keeps `rmmod` from ever freeing what the fence uses.
//!
//! The kernel frees a module whose *init* fails even if references remain (`do_init_module()`). So
//! the module's runtime (`module.rs`) waits until those are dropped. `insmod` hangs until the fence
//! ends; otherwise the fence's end would run in freed text.
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

/// A span of time after which a fence expires or a wait gives up, in units of the kernel's timer
/// tick.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timeout(Jiffies);

impl Timeout {
    /// A zero timeout: a wait only checks.
    pub const ZERO: Self = Self(0);

    /// An infinite timeout (`MAX_SCHEDULE_TIMEOUT`).
    pub const MAX: Self = Self(c_long::MAX as Jiffies);

    /// Creates a timeout of `seconds`, which must be known at compile time.
    pub const fn from_secs(seconds: u32) -> Self {
        Self(seconds as Jiffies * raw::DRM_RUST_HZ)
    }

    /// Creates a timeout of `milliseconds`, rounded up to whole ticks.
    pub fn from_millis(milliseconds: Msecs) -> Self {
        Self::from_jiffies(msecs_to_jiffies(milliseconds))
    }

    /// Creates a timeout of `jiffies`, at most [`MAX`](Self::MAX).
    pub fn from_jiffies(jiffies: Jiffies) -> Self {
        Self(jiffies).min(Self::MAX)
    }

    /// Returns the number of ticks.
    pub const fn jiffies(self) -> Jiffies {
        self.0
    }

    /// Returns the signed form that C's waits take.
    fn as_schedule_timeout(self) -> c_long {
        // No constructor exceeds `MAX`: in `from_secs` because of the width of its argument.
        self.0 as c_long
    }

    /// Converts the result of a C wait: an error, zero if the time is up, or the remaining time.
    pub(crate) fn from_wait(ret: c_long) -> Result<Self> {
        match ret {
            0 => Err(ETIME),
            left if left > 0 => Ok(Self(left as Jiffies)),
            // CAST: Errors of C are at least `-MAX_ERRNO`.
            error => Err(Error::from_errno(error as c_int)),
        }
    }
}

/// A fence that any driver or client may hold. It can be queried, waited for, and given callbacks.
///
/// C counts the references. [`ARef<Fence>`] is the owned form, made from a reference with
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
/// The `struct dma_fence` is initialised, and its reference count is at least one while a reference
/// to this type lives.
#[repr(transparent)]
pub struct Fence(Opaque<bindings::dma_fence>);

// SAFETY: A fence is made to be shared among drivers. All access goes through C functions that lock
// (L15).
unsafe impl Send for Fence {}
// SAFETY: As above (L15).
unsafe impl Sync for Fence {}

// SAFETY: The count of `struct dma_fence` keeps it alive, and every fence has a count (L21).
unsafe impl AlwaysRefCounted for Fence {
    #[inline]
    fn inc_ref(&self) {
        // SAFETY: By the type invariants the count is at least one (L21).
        unsafe { raw::drm_rust_dma_fence_get(self.as_raw()) };
    }

    #[inline]
    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller drops a reference that it owns (L21).
        unsafe { raw::drm_rust_dma_fence_put(obj.cast().as_ptr()) };
    }
}

impl Fence {
    /// Returns the fence at `fence`.
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

    /// Takes over the reference at `fence`. Returns `None` for null.
    ///
    /// # Safety
    ///
    /// `fence` is null, or points to a fence with a reference that the caller passes on (L21).
    pub(crate) unsafe fn take_raw(fence: *mut bindings::dma_fence) -> Option<ARef<Self>> {
        let fence = NonNull::new(fence)?;
        // CAST: As in `from_raw`. SAFETY: The caller passes the reference on (L21).
        Some(unsafe { ARef::from_raw(fence.cast()) })
    }

    /// Returns the C structure.
    #[inline]
    pub(crate) fn as_raw(&self) -> *mut bindings::dma_fence {
        self.0.get()
    }

    /// Returns a fence that is already signalled, for places that need one (`dma_fence_get_stub`).
    ///
    /// The whole system shares this one fence. Context: any.
    pub fn signaled() -> ARef<Self> {
        // SAFETY: There are no preconditions. The call returns a reference that we own (L21).
        let stub = unsafe { Self::take_raw(bindings::dma_fence_get_stub()) };
        // PANIC: The stub is a static of the kernel.
        stub.expect("the kernel has a stub fence from boot on")
    }

    /// Returns whether the fence is signalled.
    ///
    /// This also asks the issuer, which may notice only now that the work is done, and signal the
    /// fence. Context: any, but not while holding the fence's lock, unless the fence is signalled,
    /// as in a [`Callback`].
    #[inline]
    pub fn is_signaled(&self) -> bool {
        // SAFETY: By the type invariants (L21).
        unsafe { raw::drm_rust_dma_fence_is_signaled(self.as_raw()) }
    }

    /// Returns how the work ended: `None` while it has not, then success or the issuer's error.
    ///
    /// Context: any, including a callback of this fence.
    pub fn status(&self) -> Option<Result> {
        // SAFETY: By the type invariants (L21).
        match unsafe { raw::drm_rust_dma_fence_status(self.as_raw()) } {
            0 => None,
            // A status of one means success.
            status if status > 0 => Some(Ok(())),
            error => Some(to_result(error)),
        }
    }

    /// Returns the timeline of the fence, as a number that no other timeline of this boot has.
    #[inline]
    pub fn context(&self) -> u64 {
        // SAFETY: By the type invariants; the field never changes (L21).
        unsafe { (*self.as_raw()).context }
    }

    /// Returns the place of the fence on its timeline. Only places of fences with the same
    /// [`context`](Self::context) are comparable.
    #[inline]
    pub fn seqno(&self) -> u64 {
        // SAFETY: By the type invariants; the field never changes (L21).
        unsafe { (*self.as_raw()).seqno }
    }

    /// Returns whether the fence represents several others: a chain (a point on a [sync
    /// object's](crate::syncobj) timeline) or an array. Such a fence cannot be added to a
    /// [reservation object](crate::resv).
    #[inline]
    pub fn is_container(&self) -> bool {
        // SAFETY: By the type invariants. The pointer is written when the fence is signalled, and C
        // also reads it without a lock. It is only compared (L19).
        let ops = unsafe { (&raw const (*self.as_raw()).ops).read_volatile() };
        ops == &raw const bindings::dma_fence_array_ops
            || ops == &raw const bindings::dma_fence_chain_ops
    }

    /// Waits until the fence is signalled or the calling task gets a signal.
    ///
    /// # Errors
    ///
    /// Fails with `ERESTARTSYS` if interrupted. Failure of the *work* is no error of the wait;
    /// [`status`](Self::status) returns it.
    ///
    /// Context: process context; sleeps. Any [reservation object](crate::resv) may be locked, but
    /// no lock that the issuer needs to get the work done.
    pub fn wait(&self) -> Result {
        self.wait_timeout(Timeout::MAX).map(|_| ())
    }

    /// Waits like [`wait`](Self::wait), for at most `timeout`. Returns the remaining time, which is
    /// at least one tick.
    ///
    /// # Errors
    ///
    /// Fails with `ETIME` if the time is up, and with `ERESTARTSYS` if interrupted.
    pub fn wait_timeout(&self, timeout: Timeout) -> Result<Timeout> {
        Timeout::from_wait(self.wait_raw(true, timeout))
    }

    /// Waits like [`wait_timeout`](Self::wait_timeout), but is not interrupted by signals.
    ///
    /// Use this only where giving up is not possible, such as in teardown, and with a bound on the
    /// time.
    ///
    /// # Errors
    ///
    /// Fails with `ETIME` if the time is up.
    pub fn wait_uninterruptible(&self, timeout: Timeout) -> Result<Timeout> {
        Timeout::from_wait(self.wait_raw(false, timeout))
    }

    fn wait_raw(&self, interruptible: bool, timeout: Timeout) -> c_long {
        // SAFETY: By the type invariants, and the caller's reference keeps the fence during the
        // wait (L21).
        unsafe {
            bindings::dma_fence_wait_timeout(
                self.as_raw(),
                interruptible,
                timeout.as_schedule_timeout(),
            )
        }
    }

    /// Asks the issuer to finish the work soon, for example because a display waits for it. Most
    /// issuers ignore this. `deadline` is in nanoseconds of the monotonic clock. Context: any.
    pub fn set_deadline(&self, deadline: i64) {
        // SAFETY: By the type invariants (L21).
        unsafe { bindings::dma_fence_set_deadline(self.as_raw(), deadline) };
    }
}
