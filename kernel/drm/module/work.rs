// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Work on a device, in its module's workqueue.
//!
//! C header: `include/linux/workqueue.h`

use super::ModuleRuntime;
use crate::{
    lock_class::lock_class,
    Device,
    Driver, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Acquire, //
    },
    workqueue::{
        impl_has_work,
        Work,
        WorkItem, //
    },
};

/// A function in the module's workqueue, to be called with its device.
#[pin_data]
struct Job<T: Driver, F: FnOnce(&Device<T>) + Send + 'static> {
    #[pin]
    work: Work<Job<T, F>>,
    dev: ARef<Device<T>>,
    f: Option<F>,
}

impl_has_work! {
    impl{T: Driver, F: FnOnce(&Device<T>) + Send + 'static} HasWork<Self> for Job<T, F> { self.work }
}

impl<T: Driver, F: FnOnce(&Device<T>) + Send + 'static> WorkItem for Job<T, F> {
    type Pointer = Pin<KBox<Self>>;

    fn run(mut this: Pin<KBox<Self>>) {
        let job = this.as_mut().project();
        if let Some(f) = job.f.take() {
            f(job.dev);
        }
    }
}

impl<T: Driver> Device<T> {
    /// Calls `f` with this device soon, in process context, where it may sleep.
    ///
    /// The work runs on the module's own workqueue. That is flushed after the device was unplugged,
    /// and drained before the module's exit ends (L15), so `f` runs exactly once. `f` may find the
    /// device unplugged. It must access hardware in [`enter`](Device::enter).
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, and with `ENODEV` if the module is not running (its exit has begun).
    ///
    /// Context: may sleep.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn example(dev: &Device<Mini>) -> Result {
    /// dev.queue_work(|dev| {
    ///     let plugged = dev.enter(|plugged| plugged.registration(|data| data.revision));
    ///     dev_info!(dev, "revision {:?}, if it is still there\n", plugged);
    /// })
    /// # }
    /// ```
    pub fn queue_work(&self, f: impl FnOnce(&Device<T>) + Send + 'static) -> Result {
        // The module's exit may begin in between. Work that may still run in the exit may queue
        // this.
        self.prepare_work(f)?.try_queue().map_err(|_dropped| ENODEV)
    }

    /// Allocates the work of [`queue_work`](Self::queue_work), to be queued later. The result can
    /// be queued from anywhere, including a fence's callback, and queueing it cannot fail.
    ///
    /// # Errors
    ///
    /// Errors are those of [`queue_work`](Self::queue_work). Context: may sleep.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn example(dev: &Device<Mini>, fence: &Fence) -> Result {
    /// let work = dev.prepare_work(|dev| dev_info!(dev, "the fence is signalled\n"))?;
    /// let callback = fence.on_signal::<LocalModule, _>(move |_| work.queue())?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn prepare_work<F>(&self, f: F) -> Result<PreparedWork<T, F>>
    where
        F: FnOnce(&Device<T>) + Send + 'static,
    {
        if T::OwnerModule::runtime().queue.load(Acquire).is_null() {
            return Err(ENODEV);
        }
        let (name, key) = lock_class!(c"drm_rust::Job");
        let job = KBox::pin_init(
            pin_init!(Job {
                work <- Work::new(name, key),
                dev: self.into(),
                f: Some(f),
            }),
            GFP_KERNEL,
        )?;
        Ok(PreparedWork(job))
    }
}

/// A function that is ready to be queued. [`Device::prepare_work`] creates it.
///
/// If it is dropped instead, the function does not run. Context of dropping: process context, may
/// sleep.
#[must_use = "it does not run by itself"]
pub struct PreparedWork<T: Driver, F: FnOnce(&Device<T>) + Send + 'static>(Pin<KBox<Job<T, F>>>);

impl<T: Driver, F: FnOnce(&Device<T>) + Send + 'static> PreparedWork<T, F> {
    /// Queues the function; see [`Device::queue_work`]. Context: any.
    pub fn queue(self) {
        if let Err(this) = self.try_queue() {
            // The caller should prevent this. A leak is the lesser evil, because dropping may
            // sleep.
            core::mem::forget(this);
        }
    }

    /// Queues the function, or returns it if the module's exit has begun.
    fn try_queue(self) -> Result<(), Self> {
        T::OwnerModule::runtime().enqueue(self.0).map_err(Self)
    }

    /// Queues the function as a probe of a connector; see [`Runtime::enqueue_probe`].
    ///
    /// [`Runtime::enqueue_probe`]: super::Runtime::enqueue_probe
    pub(crate) fn queue_probe(self) -> Result<(), Self> {
        T::OwnerModule::runtime()
            .enqueue_probe(self.0)
            .map_err(Self)
    }
}
