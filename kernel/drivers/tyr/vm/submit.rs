// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Adding operations to an address space's queue, with the fences that they wait for and signal.
//!
//! Everything that can fail comes first. A client sees no fence of a refused call, and such a call
//! binds nothing.
//!
//! uapi: `struct drm_panthor_sync_op`; errno: drivers/gpu/drm/panthor/panthor_drv.c

use super::{
    bind::{
        Op,
        OpContext, //
    },
    queue::{
        self,
        QueuedOp,
        Wait, //
    },
};
use crate::{
    client::Client,
    uapi,
    uobj, //
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
/// Fails with the errors of [`OpContext::prepare`]. Fails with `EINVAL` for a mapping in an
/// unusable address space, for undefined flags, for a missing sync object to be signalled, and for
/// a sync object without a fence to wait for. Fails with `ENOENT` for a missing sync object to wait
/// for, and with `ENODEV`. Nothing is done then.
///
/// Context: process context, may sleep; takes reservation locks.
pub(crate) fn submit(
    cx: OpContext<'_, '_, '_>,
    file: &File<Client>,
    ops: &[uapi::drm_panthor_vm_bind_op],
) -> Result {
    if ops.is_empty() {
        return Ok(());
    }
    let mut prepared = KVVec::new();
    let mut syncs = KVVec::new();
    for op in ops {
        let ready = cx.prepare(file, op)?;
        if cx.vm.is_unusable() && matches!(ready, Op::Map { .. }) {
            return Err(EINVAL);
        }
        prepared.push(ready, GFP_KERNEL | __GFP_NOWARN)?;
        let op_syncs: KVVec<uapi::drm_panthor_sync_op> =
            uobj::get_array(&op.syncs, size_of::<uapi::drm_panthor_sync_op>())?;
        op_syncs.iter().try_for_each(check)?;
        syncs.push(op_syncs, GFP_KERNEL | __GFP_NOWARN)?;
    }
    let mut signals = Signals::collect(file, syncs.iter().flatten())?;

    let dev = cx.vm.device();
    let vm = ARef::from(cx.vm);
    let start = dev.prepare_work(move |dev| queue::run(dev, &vm))?;
    {
        let _order = cx.vm.queue.submitting.lock();
        let mut queued = KVVec::new();
        for (op, syncs) in prepared.into_iter().zip(&syncs) {
            let (seqno, op) = queued_op(cx, file, op, syncs, &mut signals)?;
            let node = RBTreeNode::new(seqno, op, GFP_KERNEL)?;
            queued.push(node, GFP_KERNEL | __GFP_NOWARN)?;
        }
        // The returned operations are dropped, and their fences fail.
        cx.vm.queue.push(queued).map_err(|_| EINVAL)?;
    }
    signals.publish();
    start.queue();
    Ok(())
}

/// Adds a fence to an operation that is ready, and returns it with the fence's sequence number. The
/// fence is added to the objects that the operation uses and to the sync objects that it signals.
fn queued_op(
    cx: OpContext<'_, '_, '_>,
    file: &File<Client>,
    op: Op,
    syncs: &[uapi::drm_panthor_sync_op],
    signals: &mut Signals,
) -> Result<(u64, QueuedOp)> {
    let mut waits = RBTree::new();
    for sync in syncs.iter().filter(|sync| sync.flags & SIGNAL == 0) {
        let fence = match signals.find(sync) {
            Some(signal) => signal.fence.clone().ok_or(EINVAL)?,
            None => find_fence(file, sync)?,
        };
        let key = Wait::key(&fence);
        if !fence.is_signaled() && waits.get(&key).is_none() {
            waits.try_create_and_insert(key, Wait::new(cx.vm, fence)?, GFP_KERNEL)?;
        }
    }
    let done = cx.hw.bind_fences.issue_on(&cx.vm.queue.timeline, None)?;
    // Synchronisation is explicit: the fence only marks the objects as in use.
    cx.vm.resv().attach(&done, Usage::Bookkeep)?;
    if let Some(resv) = op.resv(cx.vm) {
        resv.attach(&done, Usage::Bookkeep)?;
    }
    for sync in syncs.iter().filter(|sync| sync.flags & SIGNAL != 0) {
        signals.set(sync, &done);
    }
    Ok((done.seqno(), QueuedOp::new(op, waits, done)))
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
