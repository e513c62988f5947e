// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The unfinished fences of a piece of hardware, so that they can be ended when the hardware is
//! unplugged (L5).
//!
//! C header: `include/linux/dma-fence.h` ("fence cross-driver contract": fences must complete, even
//! if the hardware does not)

use super::{
    class::Point,
    issued::Issued,
    Class,
    Signaler,
    Timeline,
    Timeout, //
};
use crate::{
    lock_class::lock_class,
    raw, //
};
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    ffi::c_int,
    prelude::*,
    sync::{
        Arc,
        SpinLockIrq, //
    },
};

/// A set of fences that depend on one resource: an engine, a ring, a device.
///
/// A fence issued through the set is in it until it is signalled. When the resource is reset,
/// [`fail_all`](Self::fail_all) ends the fences in the set. When the resource is removed,
/// [`close`](Self::close) ends them and refuses new ones.
///
/// Dropping the set closes it with `ENODEV`. So a driver that keeps it in its registration data
/// never leaves a waiter behind, because teardown drops that data after the unplug. If the hardware
/// reads buffers by DMA, close the set in [`Driver::unplugged`](crate::Driver::unplugged), once the
/// hardware is at rest and before the buffers' mappings are undone (L5).
///
/// Do not put fences in a set unless they need one: a set costs an allocation and a lock per fence.
pub struct Pending(Arc<Set>);

impl Pending {
    /// Creates an empty set.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`. Context: may sleep to allocate.
    pub fn new() -> Result<Self> {
        let (name, key) = lock_class!(c"drm_rust::Pending");
        let list = List {
            first: null_mut(),
            last: null_mut(),
            len: 0,
            closed: None,
        };
        let set = pin_init!(Set {
            list <- SpinLockIrq::new(list, name, key),
        });
        Ok(Self(Arc::pin_init(set, GFP_KERNEL)?))
    }

    /// Issues a fence on a timeline of its own, like [`Class::issue`].
    ///
    /// # Errors
    ///
    /// Fails with the errors of [`Class::issue`] and with the error that [`close`](Self::close) was
    /// called with.
    pub fn issue(&self, class: &'static Class, timeout: Option<Timeout>) -> Result<Signaler> {
        self.issue_at(class, Point::single(), timeout)
    }

    /// Issues the next fence of `timeline`, like [`Timeline::issue`]. Errors are those of
    /// [`issue`](Self::issue).
    pub fn issue_on(&self, timeline: &Timeline, timeout: Option<Timeout>) -> Result<Signaler> {
        self.issue_at(timeline.class(), timeline.next(), timeout)
    }

    fn issue_at(
        &self,
        class: &'static Class,
        point: Point,
        timeout: Option<Timeout>,
    ) -> Result<Signaler> {
        let node = KBox::new(Node::new(self.0.clone()), GFP_KERNEL)?;
        let signaler = Signaler::new(class, point, timeout.is_some(), Some(node))?;

        let mut list = self.0.list.lock();
        if let Some(error) = list.closed {
            // Release the lock first, because dropping `signaler` takes it.
            drop(list);
            return Err(error);
        }
        // SAFETY: The fence was just made with a node of this set, and no other code knows either
        // of them (L19).
        unsafe { list.append(Issued::node(signaler.as_ptr())) };
        // Under the lock, so that `fail_all` cannot signal the fence before its timer runs.
        signaler.start(timeout);
        drop(list);

        Ok(signaler)
    }

    /// Signals every fence of the set with `error`, in the order in which they were issued. Returns
    /// the number of fences signalled.
    ///
    /// Does not wait for fences that are issued at the same time. Context: any.
    pub fn fail_all(&self, error: Error) -> usize {
        let count = self.0.list.lock().len;
        (0..count).take_while(|_| self.0.fail_first(error)).count()
    }

    /// Signals every fence of the set with `error`, and makes issuing more fail with it.
    ///
    /// If the set is already closed, the first error stays. Context: any.
    pub fn close(&self, error: Error) {
        self.0.list.lock().closed.get_or_insert(error);
        while self.0.fail_first(error) {}
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.close(ENODEV);
    }
}

/// The state that a [`Pending`] shares with the nodes of its fences.
#[pin_data]
pub(super) struct Set {
    #[pin]
    list: SpinLockIrq<List>,
}

impl Set {
    /// Takes the first fence out of the set and signals it. Returns `false` if the set is empty.
    ///
    /// The list's lock is not held while signalling, because the fence's callbacks may do anything,
    /// such as drop another [`Signaler`] of this set.
    fn fail_first(&self, error: Error) -> bool {
        let mut list = self.list.lock();
        let Some(node) = NonNull::new(list.first) else {
            return false;
        };
        // SAFETY: A node in the list is valid, and its fence has references. The caller that
        // signals the fence takes the node out, under this lock, and only then puts its own
        // reference (L19, L21).
        let fence = unsafe {
            list.remove(node);
            let fence = node.as_ref().fence;
            raw::drm_rust_dma_fence_get(fence.cast());
            fence
        };
        drop(list);

        // SAFETY: We own a reference, and put it last (L21).
        unsafe {
            Issued::finish(fence, error.to_errno() as c_int);
            raw::drm_rust_dma_fence_put(fence.cast());
        }
        true
    }
}

/// The fences of a set, oldest first, in a plain doubly linked list.
///
/// # Invariants
///
/// Every node in the list is valid, has `linked` set, belongs to a fence that is not signalled or
/// whose signaller is about to [`Node::retire`] it, and is linked consistently. `len` is the number
/// of nodes.
struct List {
    first: *mut Node,
    last: *mut Node,
    len: usize,
    /// The error passed to [`Pending::close`].
    closed: Option<Error>,
}

// SAFETY: Only the holder of the lock uses the nodes, on any thread (L15).
unsafe impl Send for List {}

impl List {
    /// # Safety
    ///
    /// `node` is valid, in no list, and will be taken out before it is freed (L19).
    unsafe fn append(&mut self, node: *mut Node) {
        // SAFETY: `node` is valid by the caller, `last` by the type invariants (L19).
        unsafe {
            (*node).prev = self.last;
            (*node).linked = true;
            match NonNull::new(self.last) {
                Some(last) => (*last.as_ptr()).next = node,
                None => self.first = node,
            }
        }
        // INVARIANT: `node` is the last node of the list now.
        self.last = node;
        self.len += 1;
    }

    /// Takes `node` out of the list, unless it is already out.
    ///
    /// # Safety
    ///
    /// `node` is valid and is in no other list (L19).
    unsafe fn remove(&mut self, node: NonNull<Node>) {
        let node = node.as_ptr();
        // SAFETY: `node` is valid by the caller, its neighbours by the type invariants (L19).
        unsafe {
            if !(*node).linked {
                return;
            }
            let (prev, next) = ((*node).prev, (*node).next);
            match NonNull::new(prev) {
                Some(prev) => (*prev.as_ptr()).next = next,
                None => self.first = next,
            }
            match NonNull::new(next) {
                Some(next) => (*next.as_ptr()).prev = prev,
                None => self.last = prev,
            }
            // INVARIANT: The neighbours are linked with each other now.
            (*node).linked = false;
        }
        self.len -= 1;
    }
}

/// The link between a fence and its set. The fence owns it until it is signalled.
///
/// # Invariants
///
/// `prev`, `next` and `linked` are used under the lock of `set`, or before the node is in its list.
pub(super) struct Node {
    prev: *mut Node,
    next: *mut Node,
    linked: bool,
    fence: *mut Issued,
    set: Arc<Set>,
}

impl Node {
    fn new(set: Arc<Set>) -> Self {
        Self {
            prev: null_mut(),
            next: null_mut(),
            linked: false,
            fence: null_mut(),
            set,
        }
    }

    /// Passes `node` to `fence`, which will [`retire`](Self::retire) it when it is signalled.
    pub(super) fn into_owned_by(mut node: KBox<Self>, fence: *mut Issued) -> *mut Self {
        node.fence = fence;
        KBox::into_raw(node)
    }

    /// Takes the node out of its set and frees it.
    ///
    /// # Safety
    ///
    /// The caller passes on ownership of the node, which came from a box (L19).
    pub(super) unsafe fn retire(node: NonNull<Self>) {
        // SAFETY: The caller owns the node, and it can be only in the list of its set (L19).
        unsafe {
            node.as_ref().set.list.lock().remove(node);
            drop(KBox::from_raw(node.as_ptr()));
        }
    }
}
