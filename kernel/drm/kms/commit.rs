// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Commits: checked, made ready, put into force and carried out.
//!
//! The sequence is that of C's `drm_atomic_helper_commit()`, from C's own steps. The table around
//! them is the crate's, because C's function queues commits on a queue of the system, where one may
//! still run in a driver's text after the driver's module is unloaded (K16).
//!
//! C headers: `include/drm/drm_atomic.h`, `include/drm/drm_atomic_helper.h`

use super::{
    crtc::{
        Crtc,
        CrtcState,
        DriverCrtc, //
    },
    plane::{
        DriverPlane,
        PlaneState, //
    },
    vblank::Source,
    Driver,
    Hw, //
};
use crate::{
    module::ModuleRuntime,
    raw,
    Device,
    Init, //
};
use core::{
    cell::Cell,
    marker::PhantomData,
    mem::offset_of,
    ptr::null_mut,
    sync::atomic::Ordering, //
};
use kernel::{
    bindings,
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    types::Opaque, //
};

/// The number of planes that a device has at most (K1).
const MAX_PLANES: usize = 32;

type PlaneOf<C> = <<C as DriverCrtc>::Driver as Driver>::Plane;

/// Names the callbacks for commits of driver `T`.
pub(super) struct Funcs<T: Driver>(PhantomData<T>);

/// A commit, with the crate's own data.
#[repr(C)]
struct Commit {
    raw: Opaque<raw::drm_atomic_commit>,
    /// Whether the thread that carries the commit out is in a section of `drm_dev_enter()`. Only
    /// that thread uses it.
    plugged: Cell<bool>,
}

/// A count of commits or probes, with a wait for none. It is C's, with C's `atomic_t`.
pub(super) struct Count(Opaque<bindings::atomic_t>);

impl Default for Count {
    fn default() -> Self {
        Self(Opaque::zeroed())
    }
}

impl Count {
    pub(super) fn add(&self) {
        // SAFETY: The counter is valid (K16).
        unsafe { raw::drm_rust_count_add(self.0.get()) };
    }

    pub(super) fn done(&self) {
        // SAFETY: As above. The memory lives until the count was seen to be zero (K16).
        unsafe { raw::drm_rust_count_done(self.0.get()) };
    }

    /// Waits until there is none. Context: may sleep.
    pub(super) fn wait_for_none(&self) {
        // SAFETY: As above (K16).
        unsafe { raw::drm_rust_wait_for_none(self.0.get()) };
    }
}

/// Implements `drm_mode_config_funcs::atomic_state_alloc`.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(super) unsafe extern "C" fn alloc(
    dev: *mut bindings::drm_device,
) -> *mut raw::drm_atomic_commit {
    let commit = KBox::new(
        Commit {
            raw: Opaque::zeroed(),
            plugged: Cell::new(false),
        },
        GFP_KERNEL,
    );
    let Ok(commit) = commit else {
        return null_mut();
    };
    // SAFETY: C passes a device, and the commit is zeroed memory. After an error C has freed what
    // it allocated (K16).
    if to_result(unsafe { raw::drm_atomic_commit_init(dev, commit.raw.get()) }).is_err() {
        return null_mut();
    }
    KBox::into_raw(commit).cast()
}

/// Implements `drm_mode_config_funcs::atomic_state_free`.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(super) unsafe extern "C" fn free(commit: *mut raw::drm_atomic_commit) {
    // SAFETY: C passes a commit that `alloc` made, once, when nothing uses it any more (K16).
    unsafe {
        raw::drm_atomic_commit_default_release(commit);
        drop(KBox::from_raw(commit.cast::<Commit>()));
    }
}

/// Returns the old and the new state of a plane in a commit.
///
/// # Safety
///
/// `commit` is valid and contains `plane`, which is of class `P` (K2, K3).
#[inline]
pub(super) unsafe fn plane_states<P: DriverPlane>(
    commit: *mut raw::drm_atomic_commit,
    plane: *mut raw::drm_plane,
) -> (*mut PlaneState<P>, *mut PlaneState<P>) {
    // SAFETY: By the requirement, the array has an entry for the plane (K16).
    let entry = unsafe { &*(*commit).planes.add((*plane).index as usize) };
    (entry.old_state.cast(), entry.new_state.cast())
}

/// Returns the old and the new state of a CRTC in a commit.
///
/// # Safety
///
/// `commit` is valid and contains `crtc`, which is of class `C` (K2, K3).
#[inline]
pub(super) unsafe fn crtc_states<C: DriverCrtc>(
    commit: *mut raw::drm_atomic_commit,
    crtc: *mut raw::drm_crtc,
) -> (*mut CrtcState<C>, *mut CrtcState<C>) {
    // SAFETY: By the requirement, the array has an entry for the CRTC (K16).
    let entry = unsafe { &*(*commit).crtcs.add((*crtc).index as usize) };
    (entry.old_state.cast(), entry.new_state.cast())
}

/// Adds the planes on a CRTC that a commit does not contain. They keep their checked states, and
/// what was prepared for them: nothing of them changes, so nothing of them can fail (K37).
///
/// # Safety
///
/// `commit` is being checked, with its locks, and contains `crtc`, which is of class `C` (K8).
pub(super) unsafe fn add_planes<C: DriverCrtc>(
    commit: *mut raw::drm_atomic_commit,
    crtc: *mut raw::drm_crtc,
) -> Result {
    // SAFETY: By the requirement: the array has an entry for each plane of the device, and while
    // the commit is checked nothing else uses the new states (K8, K16).
    unsafe {
        let count = (*(*commit).dev).mode_config.num_total_plane as usize;
        let is_in = |index: usize| index < count && !(*(*commit).planes.add(index)).ptr.is_null();
        let before: [bool; MAX_PLANES] = core::array::from_fn(is_in);
        to_result(raw::drm_atomic_add_affected_planes(commit, crtc))?;
        for (index, before) in before.into_iter().enumerate() {
            if !before && is_in(index) {
                let state = (*(*commit).planes.add(index)).new_state;
                // INVARIANT: C has just copied the state in force.
                (*state.cast::<PlaneState<PlaneOf<C>>>()).unchanged = true;
            }
        }
    }
    Ok(())
}

/// Returns the device of a commit.
///
/// # Safety
///
/// `commit` is a valid commit of a device of driver `T`, and stays so for `'a` (K16).
unsafe fn device<'a, T: Driver>(commit: *mut raw::drm_atomic_commit) -> &'a Device<T, Init> {
    // SAFETY: By the requirement. The commit holds a reference to its device, whose objects exist,
    // so it is in `Init` (L27).
    unsafe { Device::from_raw((*commit).dev) }
}

/// Returns access to the hardware for the steps of a commit, if the device is plugged.
///
/// # Safety
///
/// `commit` is a commit of a device of driver `T`. C calls one of its hooks, out of [`tail`], in
/// this thread and for at least `'g` (K16).
#[inline]
pub(super) unsafe fn hardware<'g, T: Driver>(
    commit: *mut raw::drm_atomic_commit,
) -> Option<Hw<'g, T>> {
    // SAFETY: `alloc` made the commit (K16).
    if !unsafe { (*commit.cast::<Commit>()).plugged.get() } {
        return None;
    }
    // SAFETY: By the requirement. The flag says that `tail` has opened a section, which it closes
    // after the hooks (L6).
    unsafe { device::<T>(commit).plugged_in_section() }.map(Hw::new)
}

/// Implements `drm_mode_config_funcs::atomic_check`.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(super) unsafe extern "C" fn check<T: Driver>(
    dev: *mut bindings::drm_device,
    commit: *mut raw::drm_atomic_commit,
) -> c_int {
    from_result(|| {
        // SAFETY: C passes a commit that is being checked, with its locks (K8).
        let core = unsafe { device::<T>(commit) }.core();
        // SAFETY: As above (K22).
        if core.kms.off.load(Ordering::Acquire) && unsafe { raw::drm_rust_leaves_on(commit) } {
            return Err(ENODEV);
        }
        // SAFETY: As above (K16).
        let checked = to_result(unsafe { raw::drm_atomic_helper_check(dev, commit) });
        // SAFETY: As above (K10).
        checked.map_err(|error| unsafe { to_c(commit, error) })?;
        if <T::Crtc as DriverCrtc>::Vblank::OPS.by_hardware {
            // C does not wait for the frame of a cursor that moves by the legacy ioctls, and
            // would drop what was prepared for it while hardware may still read it.
            // SAFETY: As above (K12).
            unsafe { raw::drm_rust_wait_for_cursor(commit) };
        }
        Ok(0)
    })
}

/// Returns the error of a commit that C gets for `error`.
///
/// C itself takes a plane away when its framebuffer goes. It warns about errors that it does not
/// expect then; with `EINVAL` it tries again and switches the CRTC off, too (K10).
///
/// # Safety
///
/// `commit` is valid, and its locks are held (K8).
unsafe fn to_c(commit: *mut raw::drm_atomic_commit, error: Error) -> Error {
    let expected = [EDEADLK, ENOMEM, EINTR, ERESTARTSYS].contains(&error);
    // SAFETY: By the requirement (K10).
    if !expected && unsafe { raw::drm_rust_only_takes_away(commit) } {
        EINVAL
    } else {
        error
    }
}

/// Returns the error that C gets for `error` of a driver's hook. A hook cannot take locks, so it
/// cannot run into a deadlock. C would drop its locks and try again for ever (K9).
pub(super) fn of_hook(error: Error) -> Error {
    if error == EDEADLK {
        EINVAL
    } else {
        error
    }
}

/// Implements `drm_mode_config_funcs::atomic_commit`.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(super) unsafe extern "C" fn commit<T: Driver>(
    dev: *mut bindings::drm_device,
    commit: *mut raw::drm_atomic_commit,
    nonblock: bool,
) -> c_int {
    from_result(|| {
        // SAFETY: C passes a commit that was checked, with its locks. The steps are in the order
        // that C documents (K16).
        unsafe {
            to_result(raw::drm_atomic_helper_setup_commit(commit, nonblock))?;
            to_result(raw::drm_atomic_helper_prepare_planes(dev, commit))
                .map_err(|error| to_c(commit, error))?;
            begin::<T>(commit, nonblock).map_err(|error| {
                raw::drm_atomic_helper_unprepare_planes(dev, commit);
                to_c(commit, error)
            })?;
        }
        Ok(0)
    })
}

/// Makes the fences that a commit's client gets independent of the CRTCs.
///
/// C's fence of a CRTC uses a lock and operations in the CRTC, the lock also after it was signalled.
/// A client may keep the fence longer than the device lives. So it gets a lock of its own, and
/// operations that look at nothing else (K31). A commit that failed keeps C's: its fence is never
/// signalled, and such a fence uses its operations when it is freed, after the module may be gone.
///
/// # Safety
///
/// `commit` has just come into force, and its locks are held. No client has seen its events and their
/// fences (K16).
unsafe fn own_fences<T: Driver>(dev: &Device<T, Init>, commit: *mut raw::drm_atomic_commit) {
    // SAFETY: By the requirement: the array has an entry for each CRTC of the device (K16).
    unsafe {
        for index in 0..(*dev.as_raw()).mode_config.num_crtc as usize {
            let entry = &*(*commit).crtcs.add(index);
            if entry.ptr.is_null() || (*entry.new_state).event.is_null() {
                continue;
            }
            let fence = (*(*entry.new_state).event).base.fence;
            if !fence.is_null() {
                raw::drm_rust_fence_own_lock(fence, &Funcs::<T>::FENCE);
            }
        }
    }
}

impl<T: Driver> Funcs<T> {
    const FENCE: bindings::dma_fence_ops = bindings::dma_fence_ops {
        get_driver_name: Some(driver_name::<T>),
        get_timeline_name: Some(timeline_name),
        ..pin_init::zeroed()
    };
}

/// Returns the name of the driver whose display signals a fence.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
unsafe extern "C" fn driver_name<T: Driver>(
    _fence: *mut bindings::dma_fence,
) -> *const kernel::ffi::c_char {
    T::INFO.name.as_char_ptr()
}

/// Returns the name of the line of fences.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
unsafe extern "C" fn timeline_name(_fence: *mut bindings::dma_fence) -> *const kernel::ffi::c_char {
    c"crtc".as_char_ptr()
}

/// Puts a prepared commit into force, and carries it out or queues it.
///
/// # Errors
///
/// After an error the commit is not in force.
///
/// # Safety
///
/// `commit` is prepared, and its locks are held (K16).
unsafe fn begin<T: Driver>(commit: *mut raw::drm_atomic_commit, nonblock: bool) -> Result {
    // SAFETY: By the requirement (K16).
    let dev = unsafe { device::<T>(commit) };
    // SAFETY: By the requirement (K16).
    unsafe {
        if !nonblock {
            wait_for_fences(dev, commit, true)?;
        }
        to_result(raw::drm_atomic_helper_swap_state(commit, true))?;
        own_fences::<T>(dev, commit);
        raw::drm_rust_atomic_commit_get(commit);
    }
    if !nonblock {
        // SAFETY: The commit is in force, and we own the reference that `tail` drops (K16).
        unsafe { tail::<T>(commit) };
        return Ok(());
    }
    dev.core().kms.commits.add();
    // SAFETY: As above; `work` drops the reference, and counts the commit as done. The queue exists
    // for as long as the module has devices that clients use (K16).
    unsafe {
        raw::drm_rust_init_commit_work(commit, Some(work::<T>));
        T::OwnerModule::runtime().queue_commit(&raw mut (*commit).commit_work);
    }
    Ok(())
}

/// Carries out a commit that was queued.
///
/// # Safety
///
/// Called only by C, with the work of a commit that `begin` queued (L20).
unsafe extern "C" fn work<T: Driver>(work: *mut bindings::work_struct) {
    // SAFETY: The work is part of a commit, to which `begin` has taken a reference. The device is
    // kept by a reference of its own until the count is done: dropping the commit may drop the last
    // other one (K16).
    unsafe {
        let commit = work
            .byte_sub(offset_of!(raw::drm_atomic_commit, commit_work))
            .cast();
        let dev: kernel::sync::aref::ARef<Device<T>> = (&**device::<T>(commit)).into();
        tail::<T>(commit);
        dev.core().kms.commits.done();
    }
}

/// Carries out a commit that is in force, and drops a reference to it.
///
/// # Safety
///
/// `commit` is in force and not carried out. The caller owns a reference to it (K16).
unsafe fn tail<T: Driver>(commit: *mut raw::drm_atomic_commit) {
    // SAFETY: By the requirement, until the reference is dropped (K16).
    unsafe {
        let dev = device::<T>(commit);
        // An error would be the end of the wait at departure: the commit goes on (K33).
        let _ = wait_for_fences(dev, commit, false);
        raw::drm_atomic_helper_wait_for_dependencies(commit);

        let plugged = &(*commit.cast::<Commit>()).plugged;
        let done = dev.enter(|_section| {
            plugged.set(true);
            steps::<T>(dev, commit);
            plugged.set(false);
        });
        if done.is_none() {
            steps::<T>(dev, commit);
        }
        send_events::<T>(dev, commit);
        raw::drm_atomic_helper_commit_hw_done(commit);
        raw::drm_atomic_helper_wait_for_flip_done(dev.as_raw(), commit);
        raw::drm_atomic_helper_cleanup_planes(dev.as_raw(), commit);
        raw::drm_atomic_helper_commit_cleanup_done(commit);
        raw::drm_rust_atomic_commit_put(commit);
    }
}

/// Calls the hooks that program the hardware, in one of the two orders (K15).
///
/// # Safety
///
/// As [`tail`] (K16).
unsafe fn steps<T: Driver>(dev: &Device<T, Init>, commit: *mut raw::drm_atomic_commit) {
    let dev = dev.as_raw();
    // SAFETY: By the requirement (K16).
    unsafe {
        raw::drm_atomic_helper_commit_modeset_disables(dev, commit);
        if T::PLANES_LAST {
            raw::drm_atomic_helper_commit_modeset_enables(dev, commit);
            raw::drm_atomic_helper_commit_planes(
                dev,
                commit,
                raw::DRM_RUST_PLANE_COMMIT_ACTIVE_ONLY,
            );
        } else {
            raw::drm_atomic_helper_commit_planes(dev, commit, 0);
            raw::drm_atomic_helper_commit_modeset_enables(dev, commit);
        }
    }
}

/// Sends the event of each CRTC in a commit, or arms it for the next vblank.
///
/// This is the only place that takes events out of states, after all hooks: so none is forgotten,
/// and that of a CRTC that was just switched on waits for its first frame (K17, K39).
///
/// # Safety
///
/// As [`tail`] (K16).
unsafe fn send_events<T: Driver>(dev: &Device<T, Init>, commit: *mut raw::drm_atomic_commit) {
    // SAFETY: By the requirement: the array has an entry for each CRTC of the device. New states
    // are ours until `hw_done` (K16).
    unsafe {
        for index in 0..(*dev.as_raw()).mode_config.num_crtc as usize {
            let entry = &*(*commit).crtcs.add(index);
            if entry.ptr.is_null() || (*entry.new_state).event.is_null() {
                continue;
            }
            let event = core::mem::replace(&mut (*entry.new_state).event, null_mut());
            let now = Crtc::<T::Crtc>::from_raw(entry.ptr).flips_now();
            let vblanks = <T::Crtc as DriverCrtc>::Vblank::OPS.counts;
            let mut flags = 0;
            raw::drm_rust_lock_event(dev.as_raw(), &mut flags);
            // Under this lock vblanks have either not begun to end, and the event will be sent with
            // them, or have ended, and it is sent here.
            let counts = vblanks && !now && raw::drm_crtc_vblank_get(entry.ptr) == 0;
            if counts {
                raw::drm_crtc_arm_vblank_event(entry.ptr, event);
            } else {
                raw::drm_crtc_send_vblank_event(entry.ptr, event);
            }
            raw::drm_rust_unlock_event(dev.as_raw(), flags);
        }
    }
}

/// The time of one part of a wait for a fence, in jiffies: 100 ms.
const WAIT_PART: c_long = (raw::DRM_RUST_HZ / 10) as c_long;

/// Waits for the fences of what a commit shows. The wait ends when the device departs or the system
/// goes to sleep, because a client may hold a fence back forever (K33).
///
/// # Errors
///
/// `before` the commit is in force: fails with `ERESTARTSYS` for a signal and with `ENODEV` when the
/// device departs. Otherwise the wait just ends.
///
/// # Safety
///
/// `commit` is prepared and not carried out (K16).
unsafe fn wait_for_fences<T: Driver>(
    dev: &Device<T, Init>,
    commit: *mut raw::drm_atomic_commit,
    before: bool,
) -> Result {
    // SAFETY: By the requirement. A new state owns a reference to its fence (K16).
    unsafe {
        for index in 0..(*dev.as_raw()).mode_config.num_total_plane as usize {
            let entry = &*(*commit).planes.add(index);
            if entry.ptr.is_null() || (*entry.new_state).fence.is_null() {
                continue;
            }
            let kms = &dev.core().kms;
            // In the sleep a signal to the process that asked for it must not end the resume.
            while !kms.suspended.load(Ordering::Acquire) {
                let left =
                    bindings::dma_fence_wait_timeout((*entry.new_state).fence, before, WAIT_PART);
                if left < 0 {
                    return to_result(left as c_int);
                }
                if left > 0 {
                    break;
                }
                if kms.departed.load(Ordering::Acquire) {
                    return Err(ENODEV);
                }
            }
            raw::drm_rust_dma_fence_put((*entry.new_state).fence);
            (*entry.new_state).fence = null_mut();
        }
    }
    Ok(())
}
