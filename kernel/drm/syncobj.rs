// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Sync objects: places for fences that clients name by handles, so that they can synchronise explicitly.
//!
//! A client makes sync objects, waits on them and shares them by the core's own ioctls; a driver with
//! [`Features::syncobj`](crate::Features::syncobj) looks up the handles that a submission names, takes the
//! fences to wait for, and puts in the fence of the work:
//!
//! ```
//! # use core::num::NonZeroU64;
//! # use drm::{fence::{Timeline, Timeout}, syncobj::{self, PreparedPoint, Syncobj, WaitForSubmit}};
//! # #[derive(FromBytes, IntoBytes)]
//! # #[repr(C)]
//! # struct Submit { in_point: u64, out_point: u64, in_handle: u32, out_handle: u32 }
//! fn submit(file: &File<Client>, queue: &Timeline, args: &Submit) -> Result<Signaler> {
//!     // What to wait for: point 0 is the object's one fence, others are points on its timeline.
//!     let before = syncobj::find_fence(file, args.in_handle, args.in_point, WaitForSubmit::No)?;
//!     // What to signal: look up and allocate before the work starts, for then nothing may fail.
//!     let done = Syncobj::find(file, args.out_handle)?;
//!     let point = PreparedPoint::new()?;
//!
//!     let work = queue.issue(Some(Timeout::from_secs(10)))?;
//!     match NonZeroU64::new(args.out_point) {
//!         Some(at) => done.add_point(point, &work, at)?,
//!         None => done.replace_fence(Some(&work)),
//!     }
//!     // … start the work after `before`, and signal it at its end.
//!     Ok(work)
//! }
//! ```
//!
//! All functions here need process context and no fence's lock: C takes the object's lock without disabling
//! interrupts. So a [`Callback`](crate::fence::Callback) of a fence must neither change nor drop a sync object.
//!
//! C header: `include/drm/drm_syncobj.h`; uapi: `include/uapi/drm/drm.h` (`DRM_IOCTL_SYNCOBJ_*`)

use crate::{
    fence::Fence,
    raw,
    DriverFile,
    File, //
};
use core::{
    ffi::c_void,
    mem::ManuallyDrop,
    num::NonZeroU64,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    types::Opaque, //
};

/// A sync object: holds one fence, or a timeline of fences, or nothing yet.
///
/// Reference counted by C; handles and file descriptors of clients hold references of their own. It belongs
/// to no device, and works on when one is gone.
///
/// # Invariants
///
/// The `struct drm_syncobj` is initialised, and its reference count is at least one while a reference to
/// this type lives.
#[repr(transparent)]
pub struct Syncobj(Opaque<raw::drm_syncobj>);

// SAFETY: C protects it with a lock, and its fence with RCU (L15).
unsafe impl Send for Syncobj {}
// SAFETY: As above (L15).
unsafe impl Sync for Syncobj {}

// SAFETY: The count of `struct drm_syncobj` keeps it alive, and each has one (L21).
unsafe impl AlwaysRefCounted for Syncobj {
    fn inc_ref(&self) {
        // SAFETY: By the type invariants the count is at least one (L21).
        unsafe { raw::drm_rust_syncobj_get(self.as_raw()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller gives up a reference that it owns (L21).
        unsafe { raw::drm_rust_syncobj_put(obj.cast().as_ptr()) };
    }
}

impl Syncobj {
    /// A sync object that holds `fence`, or nothing.
    ///
    /// # Errors
    ///
    /// `ENOMEM`. Context: may sleep to allocate.
    pub fn new(fence: Option<&Fence>) -> Result<ARef<Self>> {
        let mut syncobj = null_mut();
        // SAFETY: `syncobj` is valid for writes; the call takes its own reference on the fence (L21).
        to_result(unsafe { raw::drm_syncobj_create(&mut syncobj, 0, fence_ptr(fence)) })?;
        // SAFETY: The call succeeded, so it is a new sync object whose reference is ours (L21).
        unsafe { Self::take_raw(syncobj) }.ok_or(ENOMEM)
    }

    /// The sync object that `handle` names in `file`.
    ///
    /// # Errors
    ///
    /// `ENOENT` when there is none; `EOPNOTSUPP` when the driver does not have the feature.
    ///
    /// Context: process context; does not sleep.
    pub fn find<F: DriverFile>(file: &File<F>, handle: u32) -> Result<ARef<Self>> {
        check_feature(file, false)?;
        // SAFETY: The file is open, and its table is initialised, as the feature is there (L12).
        let syncobj = unsafe { raw::drm_syncobj_find(file.as_raw(), handle) };
        // SAFETY: The call returns null, or an object with a reference for us (L21).
        unsafe { Self::take_raw(syncobj) }.ok_or(ENOENT)
    }

    /// A new handle for this sync object in `file`, which the client destroys or its close does.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EBUSY` when all numbers are taken; `EOPNOTSUPP` when the driver does not have the feature.
    ///
    /// Context: may sleep to allocate.
    pub fn create_handle<F: DriverFile>(&self, file: &File<F>) -> Result<u32> {
        check_feature(file, false)?;
        let mut handle = 0;
        // SAFETY: As in `find`; the table gets a reference of its own (L12, L21).
        to_result(unsafe {
            raw::drm_syncobj_get_handle(file.as_raw(), self.as_raw(), &mut handle)
        })?;
        Ok(handle)
    }

    /// The fence that it holds now; for a timeline, that of its last point.
    ///
    /// Context: process context; does not sleep.
    pub fn fence(&self) -> Option<ARef<Fence>> {
        // SAFETY: By the type invariants. It returns null or a fence with a reference for us (L21).
        unsafe { Fence::take_raw(raw::drm_rust_syncobj_fence_get(self.as_raw())) }
    }

    /// Makes it hold `fence`, or nothing, instead of what it held; a timeline ends by that.
    ///
    /// Those who wait for it to hold a fence wake up. Cannot fail, so that it can be done after the work has
    /// started. Context: process context; does not sleep.
    pub fn replace_fence(&self, fence: Option<&Fence>) {
        // SAFETY: By the type invariants; the call takes its own reference on the fence (L21).
        unsafe { raw::drm_syncobj_replace_fence(self.as_raw(), fence_ptr(fence)) };
    }

    /// Adds `fence` to the timeline, as its point `at`.
    ///
    /// A point is signalled when its fence and all before it are. Points should be added in rising order; one
    /// that is not higher than the last takes the last one's number, which is what the core's ioctls do.
    /// Cannot fail but for the wrong kind of fence, so that it can be done after the work has started.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the fence is itself a [container](Fence::is_container), such as another timeline's point.
    ///
    /// Context: process context; does not sleep.
    pub fn add_point(&self, point: PreparedPoint, fence: &Fence, at: NonZeroU64) -> Result {
        // C warns about a chain within a chain.
        if fence.is_container() {
            return Err(EINVAL);
        }
        // SAFETY: By the type invariants. The node is not initialised and is given away; the call takes its
        // own reference on the fence (L21).
        unsafe {
            raw::drm_rust_syncobj_add_point(
                self.as_raw(),
                point.into_raw(),
                fence.as_raw(),
                at.get(),
            )
        };
        Ok(())
    }

    /// Takes over the reference at `syncobj`; `None` for null.
    ///
    /// # Safety
    ///
    /// `syncobj` is null or a sync object with a reference that the caller gives away (L21).
    unsafe fn take_raw(syncobj: *mut raw::drm_syncobj) -> Option<ARef<Self>> {
        let syncobj = NonNull::new(syncobj)?;
        // CAST: `Self` is a transparent wrapper around `struct drm_syncobj`.
        // SAFETY: The caller gives the reference away (L21).
        Some(unsafe { ARef::from_raw(syncobj.cast()) })
    }

    fn as_raw(&self) -> *mut raw::drm_syncobj {
        self.0.get()
    }
}

/// Whether [`find_fence`] waits for a client to put a fence in (`DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitForSubmit {
    /// It does not: no fence yet is an error.
    No,
    /// It does, for five seconds at most. Not while any lock is held, nor in a section of
    /// [`Device::enter`](crate::Device::enter) (so in unguarded ioctls only): it waits for userspace. The lock checker warns.
    Yes,
}

/// The fence of the sync object that `handle` names in `file`: of its timeline's `point`, or the one that it
/// holds for point 0.
///
/// For a point that is signalled already it may be [`Fence::signaled`].
///
/// # Errors
///
/// `ENOENT` when the handle names nothing; `EINVAL` when there is no such fence yet; `EOPNOTSUPP` when the
/// driver does not have the feature, for a point other than 0 that for timelines. When waiting moreover
/// `ETIME` and, when interrupted, `ERESTARTSYS`.
///
/// Context: process context; sleeps when waiting.
pub fn find_fence<F: DriverFile>(
    file: &File<F>,
    handle: u32,
    point: u64,
    wait: WaitForSubmit,
) -> Result<ARef<Fence>> {
    check_feature(file, point != 0)?;
    let flags = match wait {
        WaitForSubmit::No => 0,
        WaitForSubmit::Yes => bindings::DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
    };

    let mut fence = null_mut();
    // SAFETY: The file is open, its table is initialised, as the feature is there, and `fence` is valid for
    // writes (L12).
    to_result(unsafe {
        raw::drm_syncobj_find_fence(file.as_raw(), handle, point, flags.into(), &mut fence)
    })?;
    // SAFETY: The call succeeded: a fence with a reference for us. After a failure, what it left in `fence`
    // would be stale (L21).
    unsafe { Fence::take_raw(fence) }.ok_or(EINVAL)
}

/// The memory for a point on a timeline, allocated before it is needed.
///
/// # Invariants
///
/// Points to a `struct dma_fence_chain` from `dma_fence_chain_alloc()` that is not initialised; we own it.
pub struct PreparedPoint(NonNull<c_void>);

// SAFETY: It is memory that nobody else uses (L15).
unsafe impl Send for PreparedPoint {}
// SAFETY: A shared reference gives nothing (L15).
unsafe impl Sync for PreparedPoint {}

impl PreparedPoint {
    /// Allocates it.
    ///
    /// # Errors
    ///
    /// `ENOMEM`. Context: may sleep to allocate.
    pub fn new() -> Result<Self> {
        // SAFETY: No preconditions (L21).
        let node = unsafe { raw::drm_rust_dma_fence_chain_alloc() };
        // INVARIANT: It is new, if it is not null.
        Ok(Self(NonNull::new(node).ok_or(ENOMEM)?))
    }

    fn into_raw(self) -> *mut c_void {
        ManuallyDrop::new(self).0.as_ptr()
    }
}

impl Drop for PreparedPoint {
    fn drop(&mut self) {
        // SAFETY: By the type invariants (L21).
        unsafe { raw::drm_rust_dma_fence_chain_free(self.0.as_ptr()) };
    }
}

/// `EOPNOTSUPP`, as from the core's ioctls, unless the device has sync objects (with timelines).
fn check_feature<F: DriverFile>(file: &File<F>, timeline: bool) -> Result {
    // SAFETY: The file is open, so its minor and device are there (L14).
    if unsafe { raw::drm_rust_file_has_syncobj(file.as_raw(), timeline) } {
        Ok(())
    } else {
        Err(EOPNOTSUPP)
    }
}

fn fence_ptr(fence: Option<&Fence>) -> *mut bindings::dma_fence {
    fence.map_or(null_mut(), Fence::as_raw)
}
