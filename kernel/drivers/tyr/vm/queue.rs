// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The queue of an address space. It carries out operations in the order of their submission, each
//! when the fences that it waits for are signalled.
//!
//! Each operation has its own fence, which is signalled when the operation ends. An operation ends
//! when it is carried out, when the address space or its file ends (`ECANCELED`), or when the
//! device is unplugged (`ENODEV`). The first operation that fails makes the address space unusable.
//!
//! For each fence that an operation waits for, a work item is prepared. It is queued when the fence
//! is signalled, and checks whether the operation at the head of the queue can run.

use super::{
    bind::{
        CompletedOp,
        Op,
        OpContext, //
    },
    Space, //
};
use crate::{
    driver::Tyr,
    hw::Hardware, //
};
use drm::{
    fence::{
        Class,
        Fence,
        Signaler,
        Timeline, //
    },
    gpuvm::Vm,
    Device, //
};
use kernel::{
    new_mutex,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode, //
    },
    sync::{
        aref::ARef,
        Mutex, //
    },
};

/// A callback that was added to a fence, kept until the fence is signalled. It is only ever
/// dropped.
trait Callback: Send {}
impl<F: FnOnce(&Fence) + Send + 'static> Callback for drm::fence::Callback<F> {}

/// A fence that an operation waits for.
pub(super) struct Wait {
    // Declared first, so that it is removed before the fence may be freed.
    _callback: KBox<dyn Callback>,
    fence: ARef<Fence>,
}

/// The fences that an operation waits for, by [`Wait::key`], so each occurs once even if a client
/// names it several times. The tree allocates many small pieces of memory rather than a large one.
pub(super) type Waits = RBTree<usize, Wait>;

impl Wait {
    /// Returns a key that distinguishes `fence` from all other existing fences.
    pub(super) fn key(fence: &Fence) -> usize {
        core::ptr::from_ref(fence).addr()
    }

    /// Makes the queue of `vm` run when `fence` is signalled.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`. Context: may sleep.
    pub(super) fn new(vm: &Vm<Space>, fence: ARef<Fence>) -> Result<Self> {
        let owned: ARef<Vm<Space>> = vm.into();
        let work = vm.device().prepare_work(move |dev| run(dev, &owned))?;
        let callback = fence.on_signal::<crate::LocalModule, _>(move |_: &Fence| work.queue())?;
        Ok(Self {
            _callback: KBox::new(callback, GFP_KERNEL)?,
            fence,
        })
    }
}

/// An operation in the queue, and afterwards its remains.
pub(super) struct QueuedOp {
    op: Option<Op>,
    waits: Waits,
    /// The operation's fence, until it is signalled.
    done: Option<Signaler>,
    _completed: Option<CompletedOp>,
}

impl QueuedOp {
    /// Creates a queued operation that waits for `waits` and signals `done`.
    pub(super) fn new(op: Op, waits: Waits, done: Signaler) -> Self {
        Self {
            op: Some(op),
            waits,
            done: Some(done),
            _completed: None,
        }
    }

    fn is_ready(&self) -> bool {
        self.waits.values().all(|wait| wait.fence.is_signaled())
    }

    /// Carries out the operation, and keeps its remains.
    fn exec(&mut self, dev: &Device<Tyr>, vm: &Vm<Space>) {
        let (Some(op), Some(done)) = (self.op.take(), self.done.take()) else {
            return;
        };
        let completed = dev.enter(|plugged| {
            plugged.registration(|hw: &Hardware<'_>| {
                let cx = OpContext {
                    plugged: &plugged,
                    hw,
                    vm,
                };
                cx.exec(op)
            })
        });
        // Not if the device is unplugged, or a call that began before the unplug would report an
        // error of the address space.
        if matches!(&completed, Some(completed) if completed.result.is_err()) {
            vm.mark_unusable();
        }
        let completed = completed.unwrap_or_else(CompletedOp::unplugged);
        match completed.result {
            Ok(()) => done.signal(),
            Err(error) => done.fail(error),
        };
        self._completed = Some(completed);
    }
}

/// An operation in the queue, by the sequence number of its fence on the queue's timeline.
pub(super) type Node = RBTreeNode<u64, QueuedOp>;

/// The operations of an address space.
#[pin_data]
pub(super) struct Queue {
    /// The timeline of the operations' fences.
    pub(super) timeline: Timeline,
    /// Held from issuing an operation's fence until the operation is in the queue, so that no
    /// operation is inserted before one that is already running.
    #[pin]
    pub(super) submitting: Mutex<()>,
    /// Held while operations are carried out.
    #[pin]
    running: Mutex<()>,
    /// Held only briefly and without allocations, because fences wait for it.
    #[pin]
    ops: Mutex<Ops>,
}

struct Ops {
    waiting: RBTree<u64, QueuedOp>,
    /// Whether the queue refuses new operations.
    closed: bool,
}

impl Queue {
    /// Creates an empty queue.
    pub(super) fn new(class: &'static Class) -> impl PinInit<Self> {
        pin_init!(Self {
            timeline: Timeline::new(class),
            submitting <- new_mutex!((), "tyr::Queue::submitting"),
            running <- new_mutex!((), "tyr::Queue::running"),
            ops <- new_mutex!(Ops {
                waiting: RBTree::new(),
                closed: false,
            }, "tyr::Queue::ops"),
        })
    }

    /// Adds operations. The caller must call [`run`] afterwards.
    ///
    /// # Errors
    ///
    /// Returns the operations if the address space has ended.
    pub(super) fn push(&self, new: KVVec<Node>) -> Result<(), KVVec<Node>> {
        let mut ops = self.ops.lock();
        if ops.closed {
            return Err(new);
        }
        for node in new {
            ops.waiting.insert(node);
        }
        Ok(())
    }

    /// Moves the first operation to `to`, if its sequence number is at most `last` and it can run.
    fn take<'a>(&self, last: u64, to: &'a mut RBTree<u64, QueuedOp>) -> Option<&'a mut QueuedOp> {
        let mut ops = self.ops.lock();
        let (seqno, op) = ops.waiting.iter().next()?;
        let seqno = *seqno;
        if seqno > last || !op.is_ready() {
            return None;
        }
        to.insert(ops.waiting.remove_node(&seqno)?);
        to.get_mut(&seqno)
    }

    /// Returns the sequence number of the last operation.
    fn last(&self) -> Option<u64> {
        let ops = self.ops.lock();
        let last = ops.waiting.cursor_back()?;
        let (seqno, _) = last.current();
        Some(*seqno)
    }

    /// Ends all operations in the order of the queue, and refuses new ones. Context: process
    /// context, may sleep; takes reservation locks.
    pub(super) fn close(&self) {
        let mut left = {
            let mut ops = self.ops.lock();
            ops.closed = true;
            core::mem::replace(&mut ops.waiting, RBTree::new())
        };
        // Wait for the operation that is running.
        let turn = self.running.lock();
        for op in left.values_mut() {
            // The fence fails with `ECANCELED`.
            drop(op.done.take());
        }
        drop(turn);
        // The remains of the operations are dropped here, as in `run`.
    }
}

/// Carries out the operations of `vm` that can run.
///
/// Operations that are added in the meantime are left to another call. The remains of operations
/// are collected here, because dropping them takes reservation locks, whose holders may wait for
/// the fence of an operation. So no fence waits for the drop.
///
/// Context: process context, may sleep; takes reservation locks.
pub(super) fn run(dev: &Device<Tyr>, vm: &Vm<Space>) {
    // The tree consists of the queue's own nodes, so nothing is allocated here.
    let mut left = RBTree::new();
    let turn = vm.queue.running.lock();
    let last = vm.queue.last().unwrap_or(0);
    while let Some(op) = vm.queue.take(last, &mut left) {
        op.exec(dev, vm);
    }
    drop(turn);
}
