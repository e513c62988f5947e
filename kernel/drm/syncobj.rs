// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Sync objects: containers for fences that clients name by handles, for explicit synchronisation.
//!
//! A client creates, waits on and shares sync objects with the core's own ioctls. A driver with
//! [`Features::syncobj`](crate::Features::syncobj) looks up the handles that a submission names,
//! takes the fences to wait for, and puts in the fence of the work:
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
//! All functions here need process context, and no fence's lock may be held: C takes the object's
//! lock without disabling interrupts. So a [`Callback`](crate::fence::Callback) of a fence must
//! neither change nor drop a sync object.
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

/// A sync object. It holds one fence, a timeline of fences, or nothing yet.
///
/// C counts the references. Handles and file descriptors of clients hold references of their own. A
/// sync object belongs to no device, and keeps working after a device is unplugged.
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

// SAFETY: The count of `struct drm_syncobj` keeps it alive, and every sync object has a count
// (L21).
unsafe impl AlwaysRefCounted for Syncobj {
    fn inc_ref(&self) {
        // SAFETY: By the type invariants the count is at least one (L21).
        unsafe { raw::drm_rust_syncobj_get(self.as_raw()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller drops a reference that it owns (L21).
        unsafe { raw::drm_rust_syncobj_put(obj.cast().as_ptr()) };
    }
}

impl Syncobj {
    /// Creates a sync object that holds `fence`, or nothing.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`. Context: may sleep to allocate.
    pub fn new(fence: Option<&Fence>) -> Result<ARef<Self>> {
        let mut syncobj = null_mut();
        // SAFETY: `syncobj` is valid for writes. The call takes its own reference on the fence
        // (L21).
        to_result(unsafe { raw::drm_syncobj_create(&mut syncobj, 0, fence_ptr(fence)) })?;
        // SAFETY: The call succeeded, so it returned a new sync object whose reference is ours
        // (L21).
        unsafe { Self::take_raw(syncobj) }.ok_or(ENOMEM)
    }

    /// Returns the sync object that `handle` names in `file`.
    ///
    /// # Errors
    ///
    /// Fails with `ENOENT` if there is no such handle, and with `EOPNOTSUPP` if the driver does not
    /// have the feature.
    ///
    /// Context: process context; does not sleep.
    pub fn find<F: DriverFile>(file: &File<F>, handle: u32) -> Result<ARef<Self>> {
        check_feature(file, false)?;
        // SAFETY: The file is open. Its table is initialised, because the driver has the feature
        // (L12).
        let syncobj = unsafe { raw::drm_syncobj_find(file.as_raw(), handle) };
        // SAFETY: The call returns null, or an object with a reference for us (L21).
        unsafe { Self::take_raw(syncobj) }.ok_or(ENOENT)
    }

    /// Creates a handle for this sync object in `file`. The client destroys the handle, or closing
    /// the file does.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, with `EBUSY` if all numbers are in use, and with `EOPNOTSUPP` if the
    /// driver does not have the feature.
    ///
    /// Context: may sleep to allocate.
    pub fn create_handle<F: DriverFile>(&self, file: &File<F>) -> Result<u32> {
        check_feature(file, false)?;
        let mut handle = 0;
        // SAFETY: As in `find`. The table gets a reference of its own (L12, L21).
        to_result(unsafe {
            raw::drm_syncobj_get_handle(file.as_raw(), self.as_raw(), &mut handle)
        })?;
        Ok(handle)
    }

    /// Returns the current fence. For a timeline, it is the fence of the last point.
    ///
    /// Context: process context; does not sleep.
    pub fn fence(&self) -> Option<ARef<Fence>> {
        // SAFETY: By the type invariants. The call returns null or a fence with a reference for us
        // (L21).
        unsafe { Fence::take_raw(raw::drm_rust_syncobj_fence_get(self.as_raw())) }
    }

    /// Replaces the content with `fence`, or with nothing. This ends a timeline.
    ///
    /// Waiters for a fence to be put in wake up. This cannot fail, so it can be called after the
    /// work has started. Context: process context; does not sleep.
    pub fn replace_fence(&self, fence: Option<&Fence>) {
        // SAFETY: By the type invariants. The call takes its own reference on the fence (L21).
        unsafe { raw::drm_syncobj_replace_fence(self.as_raw(), fence_ptr(fence)) };
    }

    /// Adds `fence` to the timeline, as its point `at`.
    ///
    /// A point is signalled when its fence and all fences before it are signalled. Add points in
    /// rising order: a point that is not higher than the last takes the last one's number, as with
    /// the core's ioctls. This fails only for the wrong kind of fence, so it can be called after
    /// the work has started.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if the fence is itself a [container](Fence::is_container), such as
    /// another timeline's point.
    ///
    /// Context: process context; does not sleep.
    pub fn add_point(&self, point: PreparedPoint, fence: &Fence, at: NonZeroU64) -> Result {
        // C warns about a chain within a chain.
        if fence.is_container() {
            return Err(EINVAL);
        }
        // SAFETY: By the type invariants. The node is not initialised, and we pass it on. The call
        // takes its own reference on the fence (L21).
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

    /// Takes over the reference at `syncobj`. Returns `None` for null.
    ///
    /// # Safety
    ///
    /// `syncobj` is null, or a sync object with a reference that the caller passes on (L21).
    unsafe fn take_raw(syncobj: *mut raw::drm_syncobj) -> Option<ARef<Self>> {
        let syncobj = NonNull::new(syncobj)?;
        // CAST: `Self` is a transparent wrapper around `struct drm_syncobj`.
        // SAFETY: The caller passes the reference on (L21).
        Some(unsafe { ARef::from_raw(syncobj.cast()) })
    }

    fn as_raw(&self) -> *mut raw::drm_syncobj {
        self.0.get()
    }
}

/// Says whether [`find_fence`] waits for a client to put a fence in
/// (`DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitForSubmit {
    /// The call does not wait: a missing fence is an error.
    No,
    /// The call waits, for at most five seconds. It waits for userspace, so no lock may be held.
    /// Nor may it be used in a section of [`Device::enter`](crate::Device::enter), so it is for
    /// unguarded ioctls only. The lock checker warns.
    Yes,
}

/// Returns a fence of the sync object that `handle` names in `file`: that of its timeline's
/// `point`, or its current fence for point 0.
///
/// For a point that is already signalled, the result may be [`Fence::signaled`].
///
/// # Errors
///
/// Fails with `ENOENT` if there is no such handle, and with `EINVAL` if there is no such fence yet.
/// Fails with `EOPNOTSUPP` if the driver does not have the feature; for a point other than 0, that
/// is the feature for timelines. When waiting, also fails with `ETIME` and, if interrupted, with
/// `ERESTARTSYS`.
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
    // SAFETY: The file is open. Its table is initialised, because the driver has the feature.
    // `fence` is valid for writes (L12).
    to_result(unsafe {
        raw::drm_syncobj_find_fence(file.as_raw(), handle, point, flags.into(), &mut fence)
    })?;
    // SAFETY: The call succeeded, so `fence` is a fence with a reference for us. After a failure,
    // the value left in `fence` would be stale (L21).
    unsafe { Fence::take_raw(fence) }.ok_or(EINVAL)
}

/// The memory for a point on a timeline, allocated before it is needed.
///
/// # Invariants
///
/// The pointer refers to an uninitialised `struct dma_fence_chain` from `dma_fence_chain_alloc()`,
/// which we own.
pub struct PreparedPoint(NonNull<c_void>);

// SAFETY: No other code uses the memory (L15).
unsafe impl Send for PreparedPoint {}
// SAFETY: A shared reference offers no operation (L15).
unsafe impl Sync for PreparedPoint {}

impl PreparedPoint {
    /// Allocates the memory.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`. Context: may sleep to allocate.
    pub fn new() -> Result<Self> {
        // SAFETY: There are no preconditions (L21).
        let node = unsafe { raw::drm_rust_dma_fence_chain_alloc() };
        // INVARIANT: If the pointer is not null, the node is new.
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

/// Fails with `EOPNOTSUPP`, like the core's ioctls, unless the device has sync objects (with
/// timelines).
fn check_feature<F: DriverFile>(file: &File<F>, timeline: bool) -> Result {
    // SAFETY: The file is open, so its minor and device exist (L14).
    if unsafe { raw::drm_rust_file_has_syncobj(file.as_raw(), timeline) } {
        Ok(())
    } else {
        Err(EOPNOTSUPP)
    }
}

fn fence_ptr(fence: Option<&Fence>) -> *mut bindings::dma_fence {
    fence.map_or(null_mut(), Fence::as_raw)
}
