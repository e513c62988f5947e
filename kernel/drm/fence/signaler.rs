// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The one who signals a fence.
//!
//! The module documentation of [`fence`](super) says how a fence ends and why that is sound.
//!
//! C header: `include/linux/dma-fence.h`

use super::{
    class::{
        Class,
        Place, //
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

/// Who signals a fence: the only one, apart from its timeout and its [`Pending`](super::Pending) set.
///
/// Dereferences to the [`Fence`], to be shared with `ARef::from(&**signaler)` or
/// [`share`](Self::share), or to be given to [`Resv::attach`](crate::resv::Resv::attach). Dropping it
/// signals the fence, with `ECANCELED` unless its [`Class`] says otherwise: work that nobody is left to
/// report on was not done, and waiters must not wait for ever.
///
/// Context of all methods and of dropping: any; interrupts included.
///
/// # Invariants
///
/// Points to an `Issued` fence and owns a reference on it.
pub struct Signaler(NonNull<Issued>);

// SAFETY: A fence may be signalled by any thread (L15).
unsafe impl Send for Signaler {}
// SAFETY: A shared reference gives no more than the `Fence`, which is `Sync` (L15).
unsafe impl Sync for Signaler {}

impl Signaler {
    /// Makes a fence that owns `node`; `armed` says whether [`start`](Self::start) will get a timeout.
    #[inline]
    pub(super) fn new(
        class: &'static Class,
        place: Place,
        armed: bool,
        node: Option<KBox<Node>>,
    ) -> Result<Self> {
        // INVARIANT: The one reference of a new fence becomes ours.
        Ok(Self(Issued::alloc(class, place, armed, node)?))
    }

    /// Starts the timer, once, if there is a timeout; then the fence may expire at any moment.
    ///
    /// The fence was made with `armed` if there is one. Nobody else can have signalled it before: the
    /// timer would stay behind.
    #[inline]
    pub(super) fn start(&self, timeout: Option<Timeout>) {
        if let Some(timeout) = timeout {
            // SAFETY: By the type invariants the fence is alive. All callers have just made it as
            // described, and show it to nobody before, or hold the lock of the set through which it could
            // be signalled (L19, L21).
            unsafe { Issued::start(self.0.as_ptr(), timeout) };
        }
    }

    /// An owned reference to the fence.
    pub fn share(&self) -> ARef<Fence> {
        ARef::from(&**self)
    }

    /// Signals success. Returns whether this call did it: `false` if the fence had expired, or its
    /// [`Pending`](super::Pending) set had ended it.
    ///
    /// Runs the callbacks that others added to the fence, under its lock with interrupts off.
    #[inline]
    pub fn signal(self) -> bool {
        self.finish(0)
    }

    /// Signals that the work has failed with `error`; returns as [`signal`](Self::signal) does.
    ///
    /// By convention `ENODATA` (it produced nothing), `ECANCELED` (the timeline was cancelled), `ETIME`
    /// (it took too long), `ENODEV` (the hardware is gone).
    #[inline]
    pub fn fail(self, error: Error) -> bool {
        self.finish(error.to_errno())
    }

    #[inline]
    fn finish(self, error: c_int) -> bool {
        let this = ManuallyDrop::new(self);
        // SAFETY: By the type invariants we own a reference; it is given up here, once, as `this` is not
        // dropped (L21).
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
        // SAFETY: By the type invariants we own a reference, which is given up last (L21).
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
