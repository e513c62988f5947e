// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The signaller of a fence.
//!
//! The module documentation of [`fence`](super) describes how a fence ends and why that is sound.
//!
//! C header: `include/linux/dma-fence.h`

use super::{
    class::{
        Class,
        Point, //
    },
    issued::Issued,
    pending::Node,
    Fence,
    Timeout, //
};
use crate::raw;
use core::{
    mem::ManuallyDrop,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    ffi::c_int,
    prelude::*,
    sync::aref::ARef, //
};

/// The exclusive right to signal a fence. Only the fence's timeout and its
/// [`Pending`](super::Pending) set can signal it too.
///
/// A `Signaler` dereferences to the [`Fence`]. Share that with `ARef::from(&**signaler)` or
/// [`share`](Self::share), or pass it to [`Resv::attach`](crate::resv::Resv::attach).
///
/// Dropping it signals the fence, with `ECANCELED` unless its [`Class`] says otherwise. If no code
/// is left to report on the work, the work was not done, and waiters must not wait forever.
///
/// Context of all methods and of dropping: any, including interrupts.
///
/// # Invariants
///
/// The pointer refers to an `Issued` fence, and this type owns a reference on it.
pub struct Signaler(NonNull<Issued>);

// SAFETY: Any thread may signal a fence (L15).
unsafe impl Send for Signaler {}
// SAFETY: A shared reference only gives the `Fence`, which is `Sync` (L15).
unsafe impl Sync for Signaler {}

impl Signaler {
    /// Creates a fence that owns `node`. `armed` says whether [`start`](Self::start) will get a
    /// timeout.
    #[inline]
    pub(super) fn new(
        class: &'static Class,
        point: Point,
        armed: bool,
        node: Option<KBox<Node>>,
    ) -> Result<Self> {
        // INVARIANT: We take over the one reference of a new fence.
        Ok(Self(Issued::alloc(class, point, armed, node)?))
    }

    /// Starts the timer, once, if there is a timeout. From then on the fence may expire at any
    /// moment.
    ///
    /// If there is a timeout, the fence must be made with `armed`. No other code may be able to
    /// signal the fence before this call, or the timer would stay behind.
    #[inline]
    pub(super) fn start(&self, timeout: Option<Timeout>) {
        if let Some(timeout) = timeout {
            // SAFETY: By the type invariants the fence is alive. All callers have just made it as
            // described. They show it to no other code before, or hold the lock of the set through
            // which it could be signalled (L19, L21).
            unsafe { Issued::start(self.0.as_ptr(), timeout) };
        }
    }

    /// Returns an owned reference to the fence.
    pub fn share(&self) -> ARef<Fence> {
        ARef::from(&**self)
    }

    /// Signals success. Returns whether this call signalled the fence: `false` if the fence had
    /// expired or its [`Pending`](super::Pending) set had ended it.
    ///
    /// The call runs the fence's callbacks, under the fence's lock with interrupts off.
    #[inline]
    pub fn signal(self) -> bool {
        self.finish(0)
    }

    /// Signals that the work has failed with `error`. Returns the same as [`signal`](Self::signal).
    ///
    /// By convention `error` is `ENODATA` (the work produced nothing), `ECANCELED` (the timeline
    /// was cancelled), `ETIME` (the work took too long) or `ENODEV` (the hardware is unplugged).
    #[inline]
    pub fn fail(self, error: Error) -> bool {
        self.finish(error.to_errno())
    }

    #[inline]
    fn finish(self, error: c_int) -> bool {
        let this = ManuallyDrop::new(self);
        // SAFETY: By the type invariants we own a reference. It is dropped here, once, because
        // `this` is not dropped (L21).
        unsafe {
            let first = Issued::finish(this.0.as_ptr(), error);
            raw::drm_rust_dma_fence_put(this.0.as_ptr().cast());
            first
        }
    }

    pub(super) fn as_ptr(&self) -> *mut Issued {
        self.0.as_ptr()
    }
}

impl Drop for Signaler {
    fn drop(&mut self) {
        // SAFETY: By the type invariants we own a reference, which is dropped last (L21).
        unsafe {
            let error = Issued::error_when_dropped(self.0.as_ptr());
            Issued::finish(self.0.as_ptr(), error);
            raw::drm_rust_dma_fence_put(self.0.as_ptr().cast());
        }
    }
}

impl Deref for Signaler {
    type Target = Fence;

    #[inline]
    fn deref(&self) -> &Fence {
        // SAFETY: By the type invariants the fence is alive while `self` is (L21).
        unsafe { Fence::from_raw(self.0.as_ptr().cast()) }
    }
}
