// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The queue of an address space. It carries out operations in the order of their submission, each
//! when the fences that it waits for are signalled.
//!
//! Each job has its own fence, which is signalled when the job ends. A job ends when it is carried
//! out, when the address space or its file ends (`ECANCELED`), or when the device is unplugged
//! (`ENODEV`). The first job that fails makes the address space unusable.
//!
//! For each fence that a job waits for, a work item is prepared. It is queued when the fence is
//! signalled, and checks whether the job at the head of the queue can run.

use super::{
    bind::{
        Binding,
        Ended,
        Operation, //
    },
    Space, //
};
use crate::{
    driver::Tyr,
    hardware::Hardware, //
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

/// A fence that a job waits for.
pub(super) struct Wait {
    // Declared first, so that it is removed before the fence may be freed.
    _callback: KBox<dyn Callback>,
    fence: ARef<Fence>,
}

/// The fences that a job waits for, by [`Wait::key`], so each occurs once even if a client names it
/// several times. The tree allocates many small pieces of memory rather than a large one.
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
pub(super) struct Job {
    operation: Option<Operation>,
    waits: Waits,
    /// The job's fence, until it is signalled.
    done: Option<Signaler>,
    _ended: Option<Ended>,
}

impl Job {
    /// Creates a job for an operation that waits for `waits` and signals `done`.
    pub(super) fn new(operation: Operation, waits: Waits, done: Signaler) -> Self {
        Self {
            operation: Some(operation),
            waits,
            done: Some(done),
            _ended: None,
        }
    }

    fn can_go(&self) -> bool {
        self.waits.values().all(|wait| wait.fence.is_signaled())
    }

    /// Carries out the operation. Its remains stay in the job.
    fn carry_out(&mut self, dev: &Device<Tyr>, vm: &Vm<Space>) {
        let (Some(operation), Some(done)) = (self.operation.take(), self.done.take()) else {
            return;
        };
        let ended = dev.enter(|plugged| {
            plugged.registration(|hw: &Hardware<'_>| {
                let binding = Binding {
                    plugged: &plugged,
                    hw,
                    vm,
                };
                binding.carry_out(operation)
            })
        });
        // Not if the device is unplugged, or a call that began before the unplug would report an
        // error of the address space.
        if matches!(&ended, Some(ended) if ended.result.is_err()) {
            vm.fail();
        }
        let ended = ended.unwrap_or_else(Ended::unplugged);
        match ended.result {
            Ok(()) => done.signal(),
            Err(error) => done.fail(error),
        };
        self._ended = Some(ended);
    }
}

/// The place of a job in the queue: that of its fence on the queue's timeline.
pub(super) type Place = RBTreeNode<u64, Job>;

/// The jobs of an address space.
#[pin_data]
pub(super) struct Queue {
    /// The timeline of the jobs' fences.
    pub(super) timeline: Timeline,
    /// Held from issuing a job's fence until the job is in the queue, so that no job is inserted
    /// before one that is already running.
    #[pin]
    pub(super) submitting: Mutex<()>,
    /// Held while jobs are carried out.
    #[pin]
    running: Mutex<()>,
    /// Held only briefly and without allocations, because fences wait for it.
    #[pin]
    jobs: Mutex<Jobs>,
}

struct Jobs {
    waiting: RBTree<u64, Job>,
    /// Whether the queue refuses new jobs.
    closed: bool,
}

impl Queue {
    /// Creates an empty queue.
    pub(super) fn new(class: &'static Class) -> impl PinInit<Self> {
        pin_init!(Self {
            timeline: Timeline::new(class),
            submitting <- new_mutex!((), "tyr::Queue::submitting"),
            running <- new_mutex!((), "tyr::Queue::running"),
            jobs <- new_mutex!(Jobs {
                waiting: RBTree::new(),
                closed: false,
            }, "tyr::Queue::jobs"),
        })
    }

    /// Adds jobs. The caller must call [`run`] afterwards.
    ///
    /// # Errors
    ///
    /// Returns the jobs if the address space has ended.
    pub(super) fn push(&self, new: KVVec<Place>) -> Result<(), KVVec<Place>> {
        let mut jobs = self.jobs.lock();
        if jobs.closed {
            return Err(new);
        }
        for place in new {
            jobs.waiting.insert(place);
        }
        Ok(())
    }

    /// Moves the first job to `to`, if its place is at most `last` and it can run.
    fn take<'a>(&self, last: u64, to: &'a mut RBTree<u64, Job>) -> Option<&'a mut Job> {
        let mut jobs = self.jobs.lock();
        let (place, job) = jobs.waiting.iter().next()?;
        let place = *place;
        if place > last || !job.can_go() {
            return None;
        }
        to.insert(jobs.waiting.remove_node(&place)?);
        to.get_mut(&place)
    }

    /// Returns the place of the last job.
    fn last(&self) -> Option<u64> {
        let jobs = self.jobs.lock();
        let last = jobs.waiting.cursor_back()?;
        let (place, _) = last.current();
        Some(*place)
    }

    /// Ends all jobs in the order of the queue, and refuses new ones. Context: process context, may
    /// sleep; takes reservation locks.
    pub(super) fn close(&self) {
        let mut left = {
            let mut jobs = self.jobs.lock();
            jobs.closed = true;
            core::mem::replace(&mut jobs.waiting, RBTree::new())
        };
        // Wait for the job that is running.
        let turn = self.running.lock();
        for job in left.values_mut() {
            // The fence fails with `ECANCELED`.
            drop(job.done.take());
        }
        drop(turn);
        // The remains of the jobs are dropped here, as in `run`.
    }
}

/// Carries out the jobs of `vm` that can run.
///
/// Jobs that are added in the meantime are left to another call. The remains of jobs are collected
/// here, because dropping them takes reservation locks, whose holders may wait for the fence of a
/// job. So no fence waits for the drop.
///
/// Context: process context, may sleep; takes reservation locks.
pub(super) fn run(dev: &Device<Tyr>, vm: &Vm<Space>) {
    // The tree consists of the queue's own nodes, so nothing is allocated here.
    let mut left = RBTree::new();
    let turn = vm.queue.running.lock();
    let last = vm.queue.last().unwrap_or(0);
    while let Some(job) = vm.queue.take(last, &mut left) {
        job.carry_out(dev, vm);
    }
    drop(turn);
}
