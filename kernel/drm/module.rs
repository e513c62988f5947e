// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What a driver module owns as a whole: its workqueue and the count of its devices.
//!
//! C headers: `include/linux/workqueue.h`, `include/linux/module.h`

mod declare;
mod lenders;
mod work;

pub use work::PreparedWork;

use crate::raw;
use core::{
    ffi::c_void,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::{
    bindings,
    error::to_result,
    module::this_module,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    ModuleMetadata, //
};
use lenders::Lenders;

/// The static part of a driver module.
///
/// A `static` of this type is what [`module_platform_driver!`](crate::module_platform_driver!) and its
/// like declare; [`Running`] starts and stops it.
pub struct Runtime {
    /// Whether [`Running::new`] was called: once in the life of a module.
    started: Atomic<i32>,
    /// The workqueue; null while the module is not running.
    queue: Atomic<*mut bindings::workqueue_struct>,
    /// Devices that are allocated and not yet released.
    devices: Atomic<i32>,
    /// Where the module's own value lies, in which the macro puts the registrations of its drivers: first address and the one
    /// behind the last.
    place: Atomic<usize>,
    end: Atomic<usize>,
    /// How many faux devices may still be made: one from the start of the module, if its macro makes one.
    faux: Atomic<i32>,
    /// The modules that have lent this one data.
    lenders: Lenders,
}

impl Runtime {
    /// A runtime that is not started. For the macros.
    #[doc(hidden)]
    pub const fn new() -> Self {
        Self {
            started: Atomic::new(0),
            queue: Atomic::new(null_mut()),
            devices: Atomic::new(0),
            place: Atomic::new(0),
            end: Atomic::new(0),
            faux: Atomic::new(0),
            lenders: Lenders::new(),
        }
    }

    /// Called by an adapter before it registers its driver, with the place of the C structure.
    ///
    /// `kernel::driver::Registration` can be made by any safe code, and forgotten: then the driver would stay after its module
    /// is gone. So only those are admitted that lie in the module's own value, where the macro has put them and nobody else
    /// can put anything: they go at the module's exit. `EBUSY` for others.
    pub(crate) fn admit_driver(&self, driver: *const c_void) -> Result {
        let place = self.place.load(Relaxed)..self.end.load(Relaxed);
        if place.contains(&driver.addr()) {
            Ok(())
        } else {
            Err(EBUSY)
        }
    }

    /// Called by the faux bus before it makes a module's device, which does not stay where it is made.
    ///
    /// The first in a module's life, which is the macro's and comes before any code of the driver, is the only one: `EBUSY` for
    /// others.
    pub(crate) fn admit_device(&self) -> Result {
        if self.faux.xchg(0, Relaxed) == 0 {
            return Err(EBUSY);
        }
        Ok(())
    }

    /// Keeps the module `lender` loaded until this one has gone, for data that may point to its text.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENODEV` if `lender` is being unloaded. Context: process context, may sleep.
    ///
    /// # Safety
    ///
    /// `lender` is a module that does not go during the call (L15).
    pub(crate) unsafe fn keep_lender(&self, lender: NonNull<bindings::module>) -> Result {
        // SAFETY: By the requirement (L15).
        unsafe { self.lenders.add(lender) }
    }

    /// Counts the device `dev`, which is new, until everything of it but its memory has gone.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; it is not counted then. Context: process context, may sleep.
    ///
    /// # Safety
    ///
    /// `dev` is a valid device whose managed actions are C's own, so that this one runs after all those of its driver (L15,
    /// L20).
    pub(crate) unsafe fn count(&'static self, dev: *mut bindings::drm_device) -> Result {
        self.devices.add(1, Relaxed);
        // SAFETY: By the requirement. `released` gets the runtime, now after an error or at the release (L20).
        to_result(unsafe {
            raw::__drmm_add_action_or_reset(
                dev,
                Some(released),
                core::ptr::from_ref(self).cast_mut().cast(),
                c"drm_rust: count of devices".as_char_ptr(),
            )
        })
    }

    /// Waits for all work that is queued now. Context: may sleep.
    pub(crate) fn flush(&self) {
        let queue = self.queue.load(Acquire);
        if !queue.is_null() {
            // SAFETY: The queue lives until `Running` is dropped, which is after the last caller:
            // drivers are unregistered before (L15).
            unsafe { crate::raw::drm_rust_flush_workqueue(queue) };
        }
    }
}

/// Implemented by the macros for a driver's module: gives the module's [`Runtime`].
///
/// # Safety
///
/// The implementor is a module's type as [`module!`](kernel::prelude::module!) takes it, [`THIS_MODULE`](ModuleMetadata) is that
/// module, and its value of that module owns a [`Running`] of the runtime, which it drops after its drivers (L4, L15).
#[diagnostic::on_unimplemented(
    message = "the module of this driver is not declared with one of this crate's macros",
    note = "use `drm::module_platform_driver!` or its like instead of `kernel::module!`"
)]
pub unsafe trait ModuleRuntime: ModuleMetadata {
    /// The runtime.
    fn runtime() -> &'static Runtime;
}

/// A runtime from the module's init to its exit. The last field of a module, so that it goes last.
///
/// # Invariants
///
/// The queue of `runtime` was created by [`Running::new`] and is not destroyed yet.
#[doc(hidden)]
pub struct Running {
    runtime: &'static Runtime,
    this: &'static ThisModule,
    name: &'static CStr,
}

impl Running {
    /// Starts the runtime of the module type `M`, with a workqueue named after the module, for the drivers whose
    /// registrations lie in `module`, and `faux` faux devices.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EBUSY` if it was started before. A module's init is a safe function of a type that its driver can
    /// name, so it may be called again, even while the module's exit runs. It fails here, before it makes anything.
    ///
    /// # Safety
    ///
    /// - The first result is dropped at the module's exit, not before its drivers are gone, and not forgotten.
    /// - `module` points to the module's own value in the first call: what lies in it is dropped at the module's exit, or when
    ///   its init fails, and nobody but the macro initialises anything of it (L4, L15).
    pub unsafe fn new<M: ModuleRuntime>(module: *const M, faux: i32) -> Result<Self> {
        let (runtime, name) = (M::runtime(), M::NAME);
        if runtime.started.xchg(1, Relaxed) != 0 {
            return Err(EBUSY);
        }
        // SAFETY: `name` is a C string for the format `%s` that the helper uses (L15).
        let queue = unsafe { crate::raw::drm_rust_alloc_workqueue(name.as_char_ptr()) };
        if queue.is_null() {
            return Err(ENOMEM);
        }
        runtime.queue.store(queue, Release);
        runtime.place.store(module.addr(), Relaxed);
        runtime.end.store(module.addr() + size_of::<M>(), Relaxed);
        runtime.faux.store(faux, Relaxed);

        // INVARIANT: The queue was just created.
        Ok(Self {
            runtime,
            this: this_module::<M>(),
            name,
        })
    }

    /// Waits until nobody but the loader holds a reference to a module whose init has failed.
    ///
    /// C frees such a module whatever references there are: those of unsignalled fences, of callbacks that wait for one, and of
    /// clients that have opened a node meanwhile. In an exit there are none. Nothing tells when one is given back, so this looks
    /// again and again.
    fn wait_for_holders(&self) {
        let mut looks = 0_u32;
        // SAFETY: The module is there while its init or exit runs, of which this is a part (L15).
        while unsafe { raw::drm_rust_module_is_held(self.this.as_ptr()) } {
            if looks == LOOKS_BEFORE_A_WORD {
                pr_err!(
                    "{}: the module's init has failed, but fences or clients still use it: waiting for them\n",
                    self.name
                );
            }
            looks = looks.saturating_add(1);
            fsleep(BETWEEN_LOOKS);
        }
    }

    /// Waits for devices that somebody has looked up just now: `drm_stub_open()` holds one for a moment, and reads its
    /// driver's tables, before it pins the module. Returns how many remain, which nobody will release.
    fn wait_for_devices(&self) -> i32 {
        for _ in 0..LOOKS_BEFORE_A_WORD {
            if self.runtime.devices.load(Acquire) == 0 {
                break;
            }
            fsleep(BETWEEN_LOOKS);
        }
        self.runtime.devices.load(Acquire)
    }
}

/// How long to sleep between two looks at something that tells nobody when it changes.
const BETWEEN_LOOKS: Delta = Delta::from_millis(10);
/// So many looks, about a second, before something is said, or given up.
const LOOKS_BEFORE_A_WORD: u32 = 100;

impl Drop for Running {
    fn drop(&mut self) {
        self.wait_for_holders();

        let queue = self.runtime.queue.load(Relaxed);
        self.runtime.end.store(0, Relaxed);
        // First, for work that queues itself again would be waited for without end.
        self.runtime.queue.store(null_mut(), Release);
        // SAFETY: By the type invariants. The module's drivers are gone, so nothing but work itself could
        // still use the queue; this waits for it, so that none runs in the module's text after it (L15).
        unsafe { bindings::destroy_workqueue(queue) };

        // SAFETY: Process context. The callbacks of fences that are signalled by now may run until a grace
        // period has passed (L19).
        unsafe { bindings::synchronize_rcu() };

        let devices = self.wait_for_devices();
        // One that looked a device up has pinned the module instead, if that was possible: in an init.
        self.wait_for_holders();
        if devices != 0 {
            pr_err!(
                "{}: {} device(s) never released: a reference is leaked, or is kept in a cycle\n",
                self.name,
                devices
            );
        }
        // Nothing of this module runs any more that could use what it was lent.
        self.runtime.lenders.let_go();
    }
}

/// The managed action that comes last of a counted device.
///
/// Not inlined into drivers: when it has counted, the module's exit may end, so nothing may be left to run in the driver's
/// text. All its actions have run before, and C's, which follow, do not look at the driver.
///
/// # Safety
///
/// Called by C only, with what [`Runtime::count`] passed, once (L20).
#[inline(never)]
unsafe extern "C" fn released(_dev: *mut bindings::drm_device, runtime: *mut c_void) {
    // SAFETY: `count` passed a runtime. Who drops the last reference keeps the module, or has looked the device up just now: for
    // that, its exit waits (L15, L20).
    unsafe { &*runtime.cast::<Runtime>() }
        .devices
        .fetch_sub(1, Release);
}
