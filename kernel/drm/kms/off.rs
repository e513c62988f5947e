// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The end of mode setting, in the remove step, and its beginning after registration.
//!
//! The displays are switched off *before* the device is unplugged, so hooks still reach the
//! hardware (K20). Once they are, a check refuses what would leave anything on (K22).

use super::{
    crtc::Crtc,
    plane::Plane,
    Driver,
    Hw, //
};
use crate::{
    raw,
    Device,
    Registered, //
};
use core::{
    ffi::c_void,
    mem::offset_of,
    sync::atomic::Ordering, //
};
use kernel::{
    bindings,
    error::to_result,
    module::this_module,
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// Lets the console use a device that was just registered.
pub(super) fn registered<T: Driver>(dev: &Device<T, Registered>) {
    if T::CONSOLE.probe.is_some() {
        // SAFETY: The device is registered. C takes its own reference, and ends the client when the
        // device is unplugged. A null format lets C choose (K20).
        unsafe { raw::drm_client_setup(dev.as_raw(), core::ptr::null()) };
    }
}

/// The number of times that switching off is tried, before it is done without a commit.
const ATTEMPTS: u32 = 20;

/// Switches all displays off. Afterwards no commit is under way, and none can switch anything on.
///
/// Context: may sleep. It waits for queued commits, and these wait for hardware: at most ten
/// seconds for each.
pub(super) fn off<T: Driver>(dev: &Device<T, Registered>) {
    dev.core().kms.departed.store(true, Ordering::Release);
    // SAFETY: The device is valid, and this thread holds no lock of mode setting, which come after
    // this one (K20).
    unsafe { raw::drm_rust_lock_console(dev.as_raw()) };
    switch_off(dev);
    // SAFETY: It was locked above (K20).
    unsafe { raw::drm_rust_unlock_console(dev.as_raw()) };
}

fn switch_off<T: Driver>(dev: &Device<T, Registered>) {
    // No commit then waits for hardware that may be gone (K20).
    each_crtc(dev, Crtc::end_vblanks);
    for _ in 0..ATTEMPTS {
        if with_locks(dev, disable_all::<T>).is_ok() {
            return;
        }
        // Only memory can be missing (K10, K21).
        fsleep(Delta::from_millis(10));
    }
    dev_warn!(dev.parent(), "drm: no memory to switch the displays off\n");
    let _ = with_locks(dev, forget_all::<T>);
}

/// Switches the displays off before the system sleeps, and remembers what was on.
///
/// A commit that waits for a client's fence stops waiting: no process is awake to signal it (K33).
pub(super) fn suspend<T: Driver>(dev: &Device<T, Registered>) -> Result {
    let kms = &dev.core().kms;
    kms.suspended.store(true, Ordering::Release);
    kms.asleep.store(true, Ordering::Release);
    // SAFETY: The device is valid and registered. Userspace is frozen, and this thread holds no
    // lock of mode setting. A probe that begins now sees the mark (K20, K35).
    to_result(unsafe {
        raw::drm_rust_wait_for_probes(dev.as_raw());
        raw::drm_rust_suspend_clients(dev.as_raw());
        raw::drm_rust_suspend(dev.as_raw())
    })
    .inspect_err(|_| awake(dev))
}

/// Switches on what was on before the system slept.
pub(super) fn resume<T: Driver>(dev: &Device<T, Registered>) -> Result {
    // SAFETY: As above (K20).
    let resumed = to_result(unsafe { raw::drm_rust_resume(dev.as_raw()) });
    awake(dev);
    resumed
}

/// Ends the sleep: connectors are probed again, the console goes on, commits wait for fences again,
/// and a probe that was left out is made up for.
fn awake<T: Driver>(dev: &Device<T, Registered>) {
    let kms = &dev.core().kms;
    // Before the console goes on: it makes up for a hotplug, and would find a display without modes
    // (K35).
    kms.asleep.store(false, Ordering::Release);
    // SAFETY: The device is valid, its hardware is awake, and this thread holds no lock of mode
    // setting (K20).
    unsafe { raw::drm_rust_resume_clients(dev.as_raw()) };
    // Not before: until processes are awake, nobody signals a fence of what is switched on (K33).
    kms.suspended.store(false, Ordering::Release);
    if kms.missed.swap(false, Ordering::AcqRel) {
        // SAFETY: The device is valid, and this thread holds no lock of mode setting (K35).
        unsafe { raw::drm_rust_probe_connectors(dev.as_raw()) };
    }
}

/// Waits for what an unplugged device may still be doing.
pub(super) fn unplugged<T: Driver>(dev: &Device<T, Registered>) {
    // A probe may commit for the console.
    dev.core().kms.probes.wait_for_none();
    dev.core().kms.commits.wait_for_none();
    each_crtc(dev, |crtc| {
        crtc.end_vblanks();
        crtc.timer().cancel();
    });
    if let Some(maps) = dev.core().kms.maps.as_ref() {
        maps.end();
    }
    // SAFETY: The device is valid. Only the power callbacks use what was on before a sleep, and the
    // device's lock is held. A process that has /dev/fbN open keeps the module until it closes that.
    // C then puts the module first, and frees the console's framebuffer afterwards, in the driver's
    // text (K21, K34).
    unsafe {
        raw::drm_rust_forget_suspend(dev.as_raw());
        if raw::drm_rust_has_console(dev.as_raw()) {
            raw::drm_rust_pin(dev.as_raw(), this_module::<T::OwnerModule>().as_ptr());
        }
    }
}

/// Carries out an ioctl of a node.
///
/// # Safety
///
/// Called only by C, for a node of driver `T` (L20).
pub(super) unsafe extern "C" fn ioctl<T: Driver>(
    file: *mut bindings::file,
    command: c_uint,
    argument: c_ulong,
) -> c_long {
    // SAFETY: C's own entry for ioctls, with what C passed (L20).
    unsafe { answer::<T>(file, bindings::drm_ioctl(file, command, argument)) }
}

/// Carries out an ioctl of a 32-bit program.
///
/// # Safety
///
/// Called only by C, for a node of driver `T` (L20).
#[cfg(CONFIG_COMPAT)]
pub(super) unsafe extern "C" fn compat_ioctl<T: Driver>(
    file: *mut bindings::file,
    command: c_uint,
    argument: c_ulong,
) -> c_long {
    // SAFETY: As in `ioctl` (L20).
    unsafe { answer::<T>(file, bindings::drm_compat_ioctl(file, command, argument)) }
}

/// Returns what a client gets for an ioctl that ended with `result`.
///
/// When the displays are off and the device is not yet unplugged, C fails with errors that tell a
/// client of a mistake: `EINVAL` for a flip on a CRTC that is off, `EBUSY` for one without a
/// framebuffer. A client that sees its device go must get `ENODEV`, as Documentation/gpu/drm-uapi.rst
/// ("Device Hot-Unplug") promises. So each error is that from when the end begins (K22).
///
/// # Safety
///
/// `file` is an open node of driver `T` (L14).
unsafe fn answer<T: Driver>(file: *mut bindings::file, result: c_long) -> c_long {
    // SAFETY: The private data of an open node is its `drm_file`, which has a minor, and through it
    // a device whose registration has begun (L14, L27).
    let dev = unsafe {
        let file: *mut bindings::drm_file = (*file).private_data.cast();
        Device::<T, Registered>::from_raw((*(*file).minor).dev)
    };
    if result < 0 && dev.core().kms.departed.load(Ordering::Acquire) {
        return ENODEV.to_errno() as c_long;
    }
    result
}

/// Switches everything off by a commit.
///
/// # Safety
///
/// Called only by C, from `with_locks` with a device of driver `T` (L20).
unsafe extern "C" fn disable_all<T: Driver>(
    ctx: *mut bindings::drm_modeset_acquire_ctx,
    dev: *mut c_void,
) -> c_int {
    // SAFETY: `with_locks` passes the device, and the locks are held in `ctx`. So no commit begins;
    // those that are queued take none of these locks. Once they are done, the commit waits for
    // nothing but what is complete, and so looks at no signal (K21).
    unsafe {
        let core = &Device::<T>::from_raw(dev.cast()).core().kms;
        core.commits.wait_for_none();
        let error = raw::drm_atomic_helper_disable_all(dev.cast(), ctx);
        if error == 0 {
            core.off.store(true, Ordering::Release);
        }
        error
    }
}

/// Switches everything off without a commit, and so without memory.
///
/// # Safety
///
/// Called only by C, from `with_locks` with a device of driver `T` (L20).
unsafe extern "C" fn forget_all<T: Driver>(
    _ctx: *mut bindings::drm_modeset_acquire_ctx,
    dev: *mut c_void,
) -> c_int {
    // SAFETY: As in `disable_all`: the locks are held, and after the wait no commit is under way. So
    // this thread alone uses the states in force (K21).
    unsafe {
        let this = Device::<T, Registered>::from_raw(dev.cast());
        // Since the last attempt another thread may have queued a commit, and switched vblanks on.
        this.core().kms.commits.wait_for_none();
        each_crtc(this, Crtc::end_vblanks);
        this.enter(|plugged| {
            let hw = Hw::new(plugged);
            each_plane(this, |plane| plane.disable_now(&hw));
            each_crtc(this, |crtc| crtc.disable_now(&hw));
        });
        each_plane(this, |plane| plane.forget_prepared());
        raw::drm_rust_all_off(dev.cast());
        this.core().kms.off.store(true, Ordering::Release);
    }
    0
}

/// Calls `f` with all locks of mode setting, again if it reports a deadlock.
fn with_locks<T: Driver>(
    dev: &Device<T, Registered>,
    f: unsafe extern "C" fn(*mut bindings::drm_modeset_acquire_ctx, *mut c_void) -> c_int,
) -> Result {
    // SAFETY: The device is valid, and this thread holds none of its locks: it is the remove step
    // (K20).
    to_result(unsafe {
        raw::drm_rust_with_modeset_locks(dev.as_raw(), Some(f), dev.as_raw().cast())
    })
}

/// Calls `f` for each plane of a device.
pub(super) fn each_plane<T: Driver>(
    dev: &Device<T, Registered>,
    mut f: impl FnMut(&Plane<T::Plane>),
) {
    // SAFETY: The device is valid, and its list of planes does not change any more (K2, L27).
    unsafe {
        let list = &raw mut (*dev.as_raw()).mode_config.plane_list;
        let mut node = (*list).next;
        while node != list {
            f(Plane::from_raw(
                node.byte_sub(offset_of!(raw::drm_plane, head)).cast(),
            ));
            node = (*node).next;
        }
    }
}

/// Calls `f` for each CRTC of a device.
fn each_crtc<T: Driver>(dev: &Device<T, Registered>, f: impl Fn(&Crtc<T::Crtc>)) {
    // SAFETY: The device is valid, and its list of CRTCs does not change any more (K2, L27).
    unsafe {
        let list = &raw mut (*dev.as_raw()).mode_config.crtc_list;
        let mut node = (*list).next;
        while node != list {
            let crtc = node.byte_sub(offset_of!(raw::drm_crtc, head)).cast();
            f(Crtc::from_raw(crtc));
            node = (*node).next;
        }
    }
}
