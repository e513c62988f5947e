// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Putting operations into an address space's queue, with what they wait for and signal.
//!
//! All that can fail comes first. A client sees no fence of a call that is refused, and nothing is bound by it.
//!
//! uapi: `struct drm_panthor_sync_op`; which errno: drivers/gpu/drm/panthor/panthor_drv.c

use super::{
    bind::{
        Binding,
        Operation, //
    },
    queue::{
        self,
        Job,
        Wait, //
    },
};
use crate::{
    client::Client,
    uapi,
    uobject::take_array, //
};
use core::num::NonZeroU64;
use drm::{
    fence::Fence,
    resv::Usage,
    syncobj::{
        self,
        PreparedPoint,
        Syncobj,
        WaitForSubmit, //
    },
    File, //
};
use kernel::{
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode, //
    },
    sync::aref::ARef, //
};

const HANDLE_TYPE: u32 =
    uapi::drm_panthor_sync_op_flags_DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_MASK as u32;
const TIMELINE: u32 =
    uapi::drm_panthor_sync_op_flags_DRM_PANTHOR_SYNC_OP_HANDLE_TYPE_TIMELINE_SYNCOBJ as u32;
const SIGNAL: u32 = uapi::drm_panthor_sync_op_flags_DRM_PANTHOR_SYNC_OP_SIGNAL as u32;

/// Queues the operations of one call.
///
/// # Errors
///
/// Those of [`Binding::prepare`]; `EINVAL` for a mapping in an address space that is unusable, for flags without a
/// meaning, for a sync object that does not exist and would be signalled, and for one without a fence to wait for;
/// `ENOENT` for one that does not exist and would be waited for; `ENODEV`. Nothing is done then.
///
/// Context: process context, may sleep; takes reservation locks.
pub(super) fn submit(
    binding: Binding<'_, '_, '_>,
    file: &File<Client>,
    ops: &[uapi::drm_panthor_vm_bind_op],
) -> Result {
    if ops.is_empty() {
        return Ok(());
    }
    let mut operations = KVVec::new();
    let mut syncs = KVVec::new();
    for op in ops {
        let operation = binding.prepare(file, op)?;
        if binding.vm.is_unusable() && matches!(operation, Operation::Map { .. }) {
            return Err(EINVAL);
        }
        operations.push(operation, GFP_KERNEL | __GFP_NOWARN)?;
        let of_op: KVVec<uapi::drm_panthor_sync_op> =
            take_array(&op.syncs, size_of::<uapi::drm_panthor_sync_op>())?;
        of_op.iter().try_for_each(check)?;
        syncs.push(of_op, GFP_KERNEL | __GFP_NOWARN)?;
    }
    let mut signals = Signals::collect(file, syncs.iter().flatten())?;

    let dev = binding.vm.device();
    let vm = ARef::from(binding.vm);
    let start = dev.prepare_work(move |dev| queue::run(dev, &vm))?;
    {
        let _order = binding.vm.queue.submitting.lock();
        let mut jobs = KVVec::new();
        for (operation, syncs) in operations.into_iter().zip(&syncs) {
            let (seqno, job) = job(binding, file, operation, syncs, &mut signals)?;
            let place = RBTreeNode::new(seqno, job, GFP_KERNEL)?;
            jobs.push(place, GFP_KERNEL | __GFP_NOWARN)?;
        }
        // What is given back is dropped, and its fences fail.
        binding.vm.queue.push(jobs).map_err(|_| EINVAL)?;
    }
    signals.publish();
    start.queue();
    Ok(())
}

/// Makes an operation a job, with a fence that the objects it touches, and what it signals, get; and says which place
/// it has in the queue.
fn job(
    binding: Binding<'_, '_, '_>,
    file: &File<Client>,
    operation: Operation,
    syncs: &[uapi::drm_panthor_sync_op],
    signals: &mut Signals,
) -> Result<(u64, Job)> {
    let mut waits = RBTree::new();
    for sync in syncs.iter().filter(|sync| sync.flags & SIGNAL == 0) {
        let fence = match signals.find(sync) {
            Some(signal) => signal.fence.clone().ok_or(EINVAL)?,
            None => find_fence(file, sync)?,
        };
        let key = Wait::key(&fence);
        if !fence.is_signaled() && waits.get(&key).is_none() {
            waits.try_create_and_insert(key, Wait::new(binding.vm, fence)?, GFP_KERNEL)?;
        }
    }
    let done = binding
        .hw
        .binds
        .issue_on(&binding.vm.queue.timeline, None)?;
    // Synchronisation is explicit: the fence only says that the objects are in use.
    binding.vm.resv().attach(&done, Usage::Bookkeep)?;
    if let Some(resv) = operation.resv(binding.vm) {
        resv.attach(&done, Usage::Bookkeep)?;
    }
    for sync in syncs.iter().filter(|sync| sync.flags & SIGNAL != 0) {
        signals.set(sync, &done);
    }
    Ok((done.seqno(), Job::new(operation, waits, done)))
}

/// `EINVAL` for a sync operation that means nothing.
fn check(sync: &uapi::drm_panthor_sync_op) -> Result {
    let known = sync.flags & !(HANDLE_TYPE | SIGNAL) == 0;
    let valid = match sync.flags & HANDLE_TYPE {
        TIMELINE => true,
        0 => sync.timeline_value == 0,
        _ => false,
    };
    if known && valid {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

/// The fence that a sync object has now.
fn find_fence(file: &File<Client>, sync: &uapi::drm_panthor_sync_op) -> Result<ARef<Fence>> {
    syncobj::find_fence(file, sync.handle, sync.timeline_value, WaitForSubmit::No)
}

/// A sync object, or a point on one, that operations of the call signal.
struct Signal {
    point: Option<(NonZeroU64, PreparedPoint)>,
    syncobj: ARef<Syncobj>,
    /// That of the last operation so far that signals it; before, the one that it has.
    fence: Option<ARef<Fence>>,
}

/// All that the operations of the call signal, each once, by handle and point: a call may name very many.
struct Signals(RBTree<(u32, u64), Signal>);

impl Signals {
    /// Looks up what `syncs` signal, and takes the memory for it.
    fn collect<'a>(
        file: &File<Client>,
        syncs: impl Iterator<Item = &'a uapi::drm_panthor_sync_op>,
    ) -> Result<Self> {
        let mut signals = Self(RBTree::new());
        for sync in syncs.filter(|sync| sync.flags & SIGNAL != 0) {
            if signals.find(sync).is_some() {
                continue;
            }
            let point = match NonZeroU64::new(sync.timeline_value) {
                Some(at) => Some((at, PreparedPoint::new()?)),
                None => None,
            };
            let signal = Signal {
                point,
                syncobj: Syncobj::find(file, sync.handle).map_err(|_| EINVAL)?,
                fence: find_fence(file, sync).ok(),
            };
            signals
                .0
                .try_create_and_insert(key(sync), signal, GFP_KERNEL)?;
        }
        Ok(signals)
    }

    fn find(&self, sync: &uapi::drm_panthor_sync_op) -> Option<&Signal> {
        self.0.get(&key(sync))
    }

    fn set(&mut self, sync: &uapi::drm_panthor_sync_op, fence: &Fence) {
        if let Some(signal) = self.0.get_mut(&key(sync)) {
            signal.fence = Some(fence.into());
        }
    }

    /// Gives the fences to the sync objects, to the points on a timeline in their order. Cannot fail.
    fn publish(mut self) {
        for signal in self.0.values_mut() {
            let Some(fence) = signal.fence.take() else {
                continue;
            };
            match signal.point.take() {
                // It only fails for a fence that stands for several, and ours does not.
                Some((at, point)) => drop(signal.syncobj.add_point(point, &fence, at)),
                None => signal.syncobj.replace_fence(Some(&fence)),
            }
        }
    }
}

/// Which sync object, and which point on it.
fn key(sync: &uapi::drm_panthor_sync_op) -> (u32, u64) {
    (sync.handle, sync.timeline_value)
}
