// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Adding operations to an address space's queue, with the fences that they wait for and signal.
//!
//! Everything that can fail comes first. A client sees no fence of a refused call, and such a call
//! binds nothing.
//!
//! uapi: `struct drm_panthor_sync_op`; errno: drivers/gpu/drm/panthor/panthor_drv.c

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
/// Fails with the errors of [`Binding::prepare`]. Fails with `EINVAL` for a mapping in an unusable
/// address space, for undefined flags, for a missing sync object to be signalled, and for a sync
/// object without a fence to wait for. Fails with `ENOENT` for a missing sync object to wait for,
/// and with `ENODEV`. Nothing is done then.
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
        // The returned jobs are dropped, and their fences fail.
        binding.vm.queue.push(jobs).map_err(|_| EINVAL)?;
    }
    signals.publish();
    start.queue();
    Ok(())
}

/// Creates the job of an operation, and its place in the queue. The job's fence is added to the
/// objects that the operation uses and to the sync objects that it signals.
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
    // Synchronisation is explicit: the fence only marks the objects as in use.
    binding.vm.resv().attach(&done, Usage::Bookkeep)?;
    if let Some(resv) = operation.resv(binding.vm) {
        resv.attach(&done, Usage::Bookkeep)?;
    }
    for sync in syncs.iter().filter(|sync| sync.flags & SIGNAL != 0) {
        signals.set(sync, &done);
    }
    Ok((done.seqno(), Job::new(operation, waits, done)))
}

/// Checks a sync operation. Fails with `EINVAL` if its flags or its point are not valid.
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

/// Returns the current fence of a sync object.
fn find_fence(file: &File<Client>, sync: &uapi::drm_panthor_sync_op) -> Result<ARef<Fence>> {
    syncobj::find_fence(file, sync.handle, sync.timeline_value, WaitForSubmit::No)
}

/// A sync object, or a point on one, that operations of the call signal.
struct Signal {
    point: Option<(NonZeroU64, PreparedPoint)>,
    syncobj: ARef<Syncobj>,
    /// The fence of the last operation so far that signals the sync object; before that, its
    /// current fence.
    fence: Option<ARef<Fence>>,
}

/// All sync objects and points that the operations of the call signal. Each occurs once, by handle
/// and point, because a call may name very many.
struct Signals(RBTree<(u32, u64), Signal>);

impl Signals {
    /// Looks up the sync objects that `syncs` signal, and allocates their memory.
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

    /// Puts the fences into the sync objects, in the order of the points on a timeline. Cannot
    /// fail.
    fn publish(mut self) {
        for signal in self.0.values_mut() {
            let Some(fence) = signal.fence.take() else {
                continue;
            };
            match signal.point.take() {
                // This fails only for a fence that represents several others, and ours does not.
                Some((at, point)) => drop(signal.syncobj.add_point(point, &fence, at)),
                None => signal.syncobj.replace_fence(Some(&fence)),
            }
        }
    }
}

/// Returns the sync object and point of a sync operation.
fn key(sync: &uapi::drm_panthor_sync_op) -> (u32, u64) {
    (sync.handle, sync.timeline_value)
}
