// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The module-wide resources of a driver: its workqueue and the count of its devices.
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
        Full,
        Relaxed,
        Release, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    workqueue::{
        self,
        RawWorkItem, //
    },
    ModuleMetadata, //
};
use lenders::Lenders;

/// The static part of a driver module.
///
/// [`module_platform_driver!`](crate::module_platform_driver!) and the similar macros declare a
/// `static` of this type. [`Running`] starts and stops it.
pub struct Runtime {
    /// Whether [`Running::new`] was called, which happens once in the life of a module.
    started: Atomic<i32>,
    /// The workqueue; null while the module is not running.
    queue: Atomic<*mut bindings::workqueue_struct>,
    /// The queue of commits and of probes (K16, K35); null until the module's first device with mode
    /// setting.
    commits: Atomic<*mut bindings::workqueue_struct>,
    /// The number of devices that are allocated and not yet released.
    devices: Atomic<i32>,
    /// The number of those whose release has begun.
    in_release: Atomic<i32>,
    /// The place of the module's own value, in which the macro puts the registrations of its
    /// drivers: its first address and the address after its last.
    place: Atomic<usize>,
    end: Atomic<usize>,
    /// The number of faux devices that may still be created: one at the start of the module, if its
    /// macro creates one.
    faux: Atomic<i32>,
    /// The modules that have lent data to this one.
    lenders: Lenders,
}

impl Runtime {
    /// Creates a runtime that is not started. The macros call this.
    #[doc(hidden)]
    pub const fn new() -> Self {
        Self {
            started: Atomic::new(0),
            queue: Atomic::new(null_mut()),
            commits: Atomic::new(null_mut()),
            devices: Atomic::new(0),
            in_release: Atomic::new(0),
            place: Atomic::new(0),
            end: Atomic::new(0),
            faux: Atomic::new(0),
            lenders: Lenders::new(),
        }
    }

    /// Checks that an adapter may register its driver, whose C structure is at `driver`.
    ///
    /// Any safe code can create a `kernel::driver::Registration` and forget it. The driver would
    /// then stay registered after its module is unloaded. So only registrations in the module's own
    /// value are allowed. The macro puts them there, no other code can, and they are dropped at the
    /// module's exit. Fails with `EBUSY` for others.
    pub(crate) fn admit_driver(&self, driver: *const c_void) -> Result {
        let place = self.place.load(Relaxed)..self.end.load(Relaxed);
        if place.contains(&driver.addr()) {
            Ok(())
        } else {
            Err(EBUSY)
        }
    }

    /// Checks that the faux bus may create a module's device. The place of the device's value
    /// cannot be checked, because the value moves after its creation.
    ///
    /// Only the first call in a module's life succeeds. It is the macro's, and comes before any
    /// code of the driver. Fails with `EBUSY` for others.
    pub(crate) fn admit_device(&self) -> Result {
        if self.faux.xchg(0, Relaxed) == 0 {
            return Err(EBUSY);
        }
        Ok(())
    }

    /// Keeps the module `lender` loaded until this one is unloaded, for data that may point to its
    /// text.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, and with `ENODEV` if `lender` is being unloaded. Context: process
    /// context, may sleep.
    ///
    /// # Safety
    ///
    /// `lender` is a module that is not unloaded during the call (L15).
    pub(crate) unsafe fn keep_lender(&self, lender: NonNull<bindings::module>) -> Result {
        // SAFETY: By the requirement (L15).
        unsafe { self.lenders.add(lender) }
    }

    /// Counts the new device `dev` until all of it except its memory is released.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`; `dev` is not counted then. Context: process context, may sleep.
    ///
    /// # Safety
    ///
    /// `dev` is a valid device whose managed actions are C's own, so this one runs after all those
    /// of its driver (L15, L20).
    pub(crate) unsafe fn count(&'static self, dev: *mut bindings::drm_device) -> Result {
        self.devices.add(1, Relaxed);
        // SAFETY: By the requirement. `released` gets the runtime at the release, or now if there
        // is an error (L20).
        to_result(unsafe {
            raw::__drmm_add_action_or_reset(
                dev,
                Some(released),
                core::ptr::from_ref(self).cast_mut().cast(),
                c"drm_rust: count of devices".as_char_ptr(),
            )
        })
    }

    /// Notes that the release of a counted device has begun.
    pub(crate) fn release_begins(&self) {
        self.in_release.fetch_add(1, Release);
    }

    /// Makes sure that the module has a queue for commits. It is not the queue of the driver's work:
    /// commits wait for that.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`. Context: process context, may sleep.
    pub(crate) fn need_commits(&self) -> Result {
        if !self.commits.load(Acquire).is_null() {
            return Ok(());
        }
        // SAFETY: The name is a C string for the format `%s` that the helper uses (L15).
        let queue = unsafe { raw::drm_rust_alloc_workqueue(c"drm_rust_commits".as_char_ptr()) };
        if queue.is_null() {
            return Err(ENOMEM);
        }
        if self.commits.cmpxchg(null_mut(), queue, Full).is_err() {
            // SAFETY: Another probe was faster. Nobody has seen this queue (L15).
            unsafe { bindings::destroy_workqueue(queue) };
        }
        Ok(())
    }

    /// Queues a commit.
    ///
    /// # Safety
    ///
    /// `work` is initialised and not queued. The commit it belongs to is one of a device of this
    /// module that went through `need_commits`, and something keeps the module for the call: a file,
    /// a binding, a commit that is carried out (K16).
    pub(crate) unsafe fn queue_commit(&self, work: *mut bindings::work_struct) {
        // SAFETY: By the requirement the queue exists: `Running` destroys it after its devices
        // (K16).
        unsafe { raw::drm_rust_queue_work(self.commits.load(Acquire), work) };
    }

    /// Queues a work item, or returns it if the module's exit has begun. Context: any.
    ///
    /// The queue lives until the module's exit has waited for all work on it. So the item may be
    /// queued by anything that keeps the module: a file, a binding, a commit, other work (L15).
    pub(crate) fn enqueue<P: RawWorkItem<0> + Send + 'static>(
        &self,
        work: P,
    ) -> Result<P::EnqueueOutput, P> {
        enqueue_on(&self.queue, work)
    }

    /// Queues the probe of a connector, or returns it as `enqueue` does. It may wait for a client's
    /// commit, so it is not in the queue that the remove step of each device flushes. Context: any.
    ///
    /// The caller is in a section of a device that went through `need_commits`. That device waits
    /// for its probes before the module's exit destroys the queue (K35).
    pub(crate) fn enqueue_probe<P: RawWorkItem<0> + Send + 'static>(
        &self,
        work: P,
    ) -> Result<P::EnqueueOutput, P> {
        enqueue_on(&self.commits, work)
    }

    /// Waits for all work that is currently queued. Context: may sleep.
    pub(crate) fn flush(&self) {
        let queue = self.queue.load(Acquire);
        if !queue.is_null() {
            // SAFETY: The queue lives until `Running` is dropped. That is after the last caller,
            // because drivers are unregistered before (L15).
            unsafe { crate::raw::drm_rust_flush_workqueue(queue) };
        }
    }
}

/// Queues a work item on a queue of the module, or returns it if there is none.
fn enqueue_on<P: RawWorkItem<0> + Send + 'static>(
    queue: &Atomic<*mut bindings::workqueue_struct>,
    work: P,
) -> Result<P::EnqueueOutput, P> {
    let queue = queue.load(Acquire);
    if queue.is_null() {
        return Err(work);
    }
    // SAFETY: The module's exit waits for the work on a queue before it destroys that, and the
    // callers keep the module (L15, K35).
    Ok(unsafe { workqueue::Queue::from_raw(queue) }.enqueue(work))
}

/// A driver's module. The macros implement it, to return the module's [`Runtime`].
///
/// # Safety
///
/// The implementor is a module's type as [`module!`](kernel::prelude::module!) takes it, and
/// [`THIS_MODULE`](ModuleMetadata) is that module. The value of the type in that module owns a
/// [`Running`] of the runtime, which it drops after its drivers (L4, L15).
#[diagnostic::on_unimplemented(
    message = "the module of this driver is not declared with one of this crate's macros",
    note = "use `drm::module_platform_driver!` or its like instead of `kernel::module!`"
)]
pub unsafe trait ModuleRuntime: ModuleMetadata {
    /// Returns the runtime.
    fn runtime() -> &'static Runtime;
}

/// A runtime from the module's init to its exit. It is the last field of a module, so it is dropped
/// last.
///
/// # Invariants
///
/// [`Running::new`] created the queue of `runtime`, which is not yet destroyed.
#[doc(hidden)]
pub struct Running {
    runtime: &'static Runtime,
    this: &'static ThisModule,
    name: &'static CStr,
}

impl Running {
    /// Starts the runtime of the module type `M`, with a workqueue named after the module. `module`
    /// contains the registrations of its drivers. `faux` is the number of its faux devices.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, and with `EBUSY` if the runtime was started before. A module's init is
    /// a safe function of a type that its driver can name. So it may be called again, even while
    /// the module's exit runs. That call fails here, before it creates anything.
    ///
    /// # Safety
    ///
    /// - The first result is dropped at the module's exit, after its drivers are unregistered. It
    ///   is not forgotten.
    /// - In the first call, `module` points to the module's own value. Its contents are dropped at
    ///   the module's exit, or when its init fails. Only the macro initialises any of it (L4, L15).
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

    /// Waits until only the loader holds a reference to a module whose init has failed.
    ///
    /// C frees such a module even if references remain: those of unsignalled fences, of callbacks
    /// that wait for one, and of clients that have opened a node. In an exit there are none.
    /// Dropping a reference notifies nobody, so this polls.
    fn wait_for_holders(&self) {
        let mut polls = 0_u32;
        // SAFETY: The module exists while its init or exit runs, and this is a part of them (L15).
        while unsafe { raw::drm_rust_module_is_held(self.this.as_ptr()) } {
            if polls == POLLS_BEFORE_MESSAGE {
                pr_err!(
                    "{}: the module's init has failed, but fences or clients still use it: waiting for them\n",
                    self.name
                );
            }
            polls = polls.saturating_add(1);
            fsleep(POLL_INTERVAL);
        }
    }

    /// Waits for devices that are being looked up: `drm_stub_open()` holds one for a moment, and
    /// reads its driver's tables, before it pins the module. If it drops the last reference, the
    /// release runs in the driver's text, and may sleep there: the wait for that has no limit.
    /// Returns the number of devices that remain, which no code will release.
    fn wait_for_devices(&self) -> i32 {
        let mut polls = 0;
        while self.runtime.devices.load(Acquire) != 0
            && (polls < POLLS_BEFORE_MESSAGE || self.runtime.in_release.load(Acquire) != 0)
        {
            polls += 1;
            fsleep(POLL_INTERVAL);
        }
        self.runtime.devices.load(Acquire)
    }
}

/// The time to sleep between two polls.
const POLL_INTERVAL: Delta = Delta::from_millis(10);
/// The number of polls, about a second, before a message is logged or the wait is given up.
const POLLS_BEFORE_MESSAGE: u32 = 100;

impl Drop for Running {
    fn drop(&mut self) {
        self.wait_for_holders();

        let commits = self.runtime.commits.xchg(null_mut(), Full);
        if !commits.is_null() {
            // SAFETY: The queue was created once. The module's devices are gone from their bus, and
            // waited for their commits then. What may be left of one is the drop of its device,
            // which this call waits for (K16).
            unsafe { bindings::destroy_workqueue(commits) };
        }

        let queue = self.runtime.queue.load(Relaxed);
        self.runtime.end.store(0, Relaxed);
        // This comes first, because waiting for work that queues itself again would never end.
        self.runtime.queue.store(null_mut(), Release);
        // SAFETY: By the type invariants. The module's drivers are unregistered, so only work
        // itself could still use the queue. This call waits for it, so none runs in the module's
        // text afterwards (L15).
        unsafe { bindings::destroy_workqueue(queue) };

        // SAFETY: This is process context. The callbacks of fences that are already signalled may
        // run until a grace period has passed (L19).
        unsafe { bindings::synchronize_rcu() };

        let devices = self.wait_for_devices();
        // If possible, that is in an init, code that looked a device up has pinned the module
        // instead.
        self.wait_for_holders();
        if devices != 0 {
            pr_err!(
                "{}: {} device(s) never released: a reference is leaked, or is kept in a cycle\n",
                self.name,
                devices
            );
        }
        // No code of this module that could use the lent data runs any more.
        self.runtime.lenders.put_all();
    }
}

/// Uncounts a device, as its last managed action.
///
/// Not inlined into drivers: after the device is uncounted, the module's exit may end, so nothing
/// may be left to run in the driver's text. All the driver's actions have run before. C's actions,
/// which follow, do not use the driver.
///
/// # Safety
///
/// Called only by C, with the argument that [`Runtime::count`] passed, once (L20).
#[inline(never)]
unsafe extern "C" fn released(dev: *mut bindings::drm_device, runtime: *mut c_void) {
    // SAFETY: C passes the device that is being released. The crate's own fields are all that uses
    // `dev_private`. If the device has pinned the module, that is undone later (K34).
    unsafe { raw::drm_rust_unpin(dev) };
    // SAFETY: `count` passed a runtime. The caller that drops the last reference keeps the module,
    // or is just looking the device up; the module's exit waits for that (L15, L20).
    let runtime = unsafe { &*runtime.cast::<Runtime>() };
    // A device that could not be counted is released later, and balances this.
    runtime.in_release.fetch_sub(1, Relaxed);
    runtime.devices.fetch_sub(1, Release);
}
