// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The queue of an address space: operations that are carried out in the order in which they were submitted, each
//! when the fences are signalled that it waits for.
//!
//! A job has a fence of its own, which is signalled at its end. It ends by being carried out, by the end of the
//! address space or of its file (`ECANCELED`), or by the device being unplugged (`ENODEV`). The first that fails
//! makes the address space unusable.
//!
//! Each fence that a job waits for has a piece of work ready which is queued when that is signalled, and looks
//! whether the job at the head of the queue can go.

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

/// What is kept until a fence is signalled: the callback that was added to it. Only its being dropped matters.
trait Callback: Send {}
impl<F: FnOnce(&Fence) + Send + 'static> Callback for drm::fence::Callback<F> {}

/// A fence that a job waits for.
pub(super) struct Wait {
    // Declared first: taken back before the fence may go.
    _callback: KBox<dyn Callback>,
    fence: ARef<Fence>,
}

/// The fences that a job waits for, each once, however often a client names it: by [`Wait::key`], in pieces of memory
/// that are small however many there are.
pub(super) type Waits = RBTree<usize, Wait>;

impl Wait {
    /// What tells `fence` from all others that are there.
    pub(super) fn key(fence: &Fence) -> usize {
        core::ptr::from_ref(fence).addr()
    }

    /// Has the queue of `vm` looked at when `fence` is signalled.
    ///
    /// # Errors
    ///
    /// `ENOMEM`. Context: may sleep.
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

/// An operation in the queue, and afterwards what is left of it.
pub(super) struct Job {
    operation: Option<Operation>,
    waits: Waits,
    /// Its fence, until it is signalled.
    done: Option<Signaler>,
    _ended: Option<Ended>,
}

impl Job {
    /// An operation that waits for `waits` and signals `done`.
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

    /// Carries it out. What is left stays in it.
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
        // Not if it is unplugged: a call that has begun before that would be told of the address space.
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

/// Where a job is in the queue: by its fence's place on the queue's timeline.
pub(super) type Place = RBTreeNode<u64, Job>;

/// The jobs of an address space.
#[pin_data]
pub(super) struct Queue {
    /// Where the fences of the jobs stand.
    pub(super) timeline: Timeline,
    /// Held from issuing a job's fence to having it in the queue: none comes in before one that is already running.
    #[pin]
    pub(super) submitting: Mutex<()>,
    /// Held by whoever carries out jobs.
    #[pin]
    running: Mutex<()>,
    /// Held for moments only, in which nothing is allocated: fences wait for it.
    #[pin]
    jobs: Mutex<Jobs>,
}

struct Jobs {
    waiting: RBTree<u64, Job>,
    /// Nothing comes in any more.
    closed: bool,
}

impl Queue {
    /// A queue without jobs.
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

    /// Puts jobs in. Afterwards somebody must call [`run`].
    ///
    /// # Errors
    ///
    /// Gives the jobs back if the address space has ended.
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

    /// Moves the first job to `to`, if it is up to `last` and can go.
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

    /// The last job's place.
    fn last(&self) -> Option<u64> {
        let jobs = self.jobs.lock();
        let last = jobs.waiting.cursor_back()?;
        let (place, _) = last.current();
        Some(*place)
    }

    /// Ends all jobs in the order of the queue, and lets no other in. Context: process context, may sleep; takes
    /// reservation locks.
    pub(super) fn close(&self) {
        let mut left = {
            let mut jobs = self.jobs.lock();
            jobs.closed = true;
            core::mem::replace(&mut jobs.waiting, RBTree::new())
        };
        // After the one that is under way.
        let turn = self.running.lock();
        for job in left.values_mut() {
            // Fails with `ECANCELED`.
            drop(job.done.take());
        }
        drop(turn);
        // What is left of them goes here, as in `run`.
    }
}

/// Carries out the jobs of `vm` that can go.
///
/// Not those that come in meanwhile, for which there is another call: what is left of jobs gathers here, since dropping
/// it takes reservation locks, whose holders may wait for the fence of a job. So nobody waits for that.
///
/// Context: process context, may sleep; takes reservation locks.
pub(super) fn run(dev: &Device<Tyr>, vm: &Vm<Space>) {
    // Made of the queue's own nodes: nothing is allocated here.
    let mut left = RBTree::new();
    let turn = vm.queue.running.lock();
    let last = vm.queue.last().unwrap_or(0);
    while let Some(job) = vm.queue.take(last, &mut left) {
        job.carry_out(dev, vm);
    }
    drop(turn);
}
