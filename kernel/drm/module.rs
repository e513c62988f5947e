// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What a driver module owns as a whole: its workqueue and the count of its devices.
//!
//! C headers: `include/linux/workqueue.h`, `include/linux/module.h`

mod declare;
mod work;

pub use work::PreparedWork;

use crate::Driver;
use core::{
    ffi::c_void,
    marker::PhantomData,
    ptr::null_mut, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
    ModuleMetadata, //
};

/// The static part of a driver module.
///
/// A `static` of this type is what [`module_platform_driver!`](crate::module_platform_driver!) and its
/// like declare; [`Running`] starts and stops it.
pub struct Runtime {
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
}

impl Runtime {
    /// A runtime that is not started. For the macros.
    #[doc(hidden)]
    pub const fn new() -> Self {
        Self {
            queue: Atomic::new(null_mut()),
            devices: Atomic::new(0),
            place: Atomic::new(0),
            end: Atomic::new(0),
            faux: Atomic::new(0),
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
/// module, and it owns a [`Running`] of the runtime, which it drops after its drivers (L4, L15).
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
    name: &'static CStr,
}

impl Running {
    /// Starts `runtime`, with a workqueue named after the module, for the drivers whose registrations lie in `module`, and
    /// `faux` faux devices.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EBUSY` if it runs already.
    ///
    /// # Safety
    ///
    /// - The result is dropped at the module's exit, not before its drivers are gone, and not forgotten.
    /// - `module` is the module's own value: what lies in it is dropped at the module's exit, or when its init fails, and nobody
    ///   but the macro initialises anything of it (L4, L15).
    pub unsafe fn new<M>(
        runtime: &'static Runtime,
        name: &'static CStr,
        module: *const M,
        faux: i32,
    ) -> Result<Self> {
        if !runtime.queue.load(Relaxed).is_null() {
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
        Ok(Self { runtime, name })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
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

        let devices = self.runtime.devices.load(Relaxed);
        if devices != 0 {
            pr_err!(
                "{}: {} device(s) never released: a reference is leaked, or is kept in a cycle\n",
                self.name,
                devices
            );
        }
    }
}

/// Counts a device of driver `T` in its module's runtime for as long as the value lives.
pub(crate) struct LiveDevice<T: Driver>(PhantomData<fn(T)>);

impl<T: Driver> LiveDevice<T> {
    pub(crate) fn new() -> Self {
        T::OwnerModule::runtime().devices.add(1, Relaxed);
        Self(PhantomData)
    }
}

impl<T: Driver> Drop for LiveDevice<T> {
    fn drop(&mut self) {
        T::OwnerModule::runtime().devices.add(-1, Relaxed);
    }
}
