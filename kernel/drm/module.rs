// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What a driver module owns as a whole: its workqueue and the count of its devices.
//!
//! C headers: `include/linux/workqueue.h`, `include/linux/module.h`

use crate::{
    Device,
    Driver, //
};
use core::{
    ffi::c_void,
    marker::PhantomData,
    ptr::null_mut, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
    },
    workqueue::{
        self,
        impl_has_work,
        new_work,
        Work,
        WorkItem, //
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
            // drivers are unregistered before.
            unsafe { crate::raw::drm_rust_flush_workqueue(queue) };
        }
    }
}

/// Implemented by the macros for a driver's module: gives the module's [`Runtime`].
///
/// # Safety
///
/// The implementor is a module's type as [`module!`](kernel::prelude::module!) takes it, [`THIS_MODULE`](ModuleMetadata) is that
/// module, and it owns a [`Running`] of the runtime, which it drops after its drivers.
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
    ///   but the macro initialises anything of it.
    pub unsafe fn new<M>(
        runtime: &'static Runtime,
        name: &'static CStr,
        module: *const M,
        faux: i32,
    ) -> Result<Self> {
        if !runtime.queue.load(Relaxed).is_null() {
            return Err(EBUSY);
        }
        // SAFETY: `name` is a C string for the format `%s` that the helper uses.
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

/// A function that waits in the module's workqueue to be called with its device.
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
    /// The work runs on the module's own workqueue, which is flushed after the device was unplugged, and
    /// drained before the module's exit ends (L15): `f` runs exactly once. It may find the device
    /// unplugged; what it does with hardware, it does in [`enter`](Device::enter).
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENODEV` if the module is not running (its exit has begun).
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
        self.prepare_work(f)?.queue();
        Ok(())
    }

    /// The same in two steps: what is returned can be queued from anywhere, a fence's callback included, and cannot
    /// fail any more.
    ///
    /// # Errors
    ///
    /// As for [`queue_work`](Self::queue_work). Context: may sleep.
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
        let job = KBox::pin_init(
            pin_init!(Job {
                work <- new_work!("drm_rust::Job"),
                dev: self.into(),
                f: Some(f),
            }),
            GFP_KERNEL,
        )?;
        Ok(PreparedWork(job))
    }
}

/// A function that is ready to be queued; made by [`Device::prepare_work`].
///
/// Dropped instead, the function does not run. Context of dropping: process context, may sleep.
#[must_use = "it does not run by itself"]
pub struct PreparedWork<T: Driver, F: FnOnce(&Device<T>) + Send + 'static>(Pin<KBox<Job<T, F>>>);

impl<T: Driver, F: FnOnce(&Device<T>) + Send + 'static> PreparedWork<T, F> {
    /// Queues it; see [`Device::queue_work`]. Context: any.
    pub fn queue(self) {
        let queue = T::OwnerModule::runtime().queue.load(Acquire);
        if queue.is_null() {
            // The module's exit has begun, which whoever calls this should prevent. A leak is the lesser evil: dropping may sleep.
            core::mem::forget(self);
            return;
        }
        // SAFETY: The queue lives until the module's exit has waited for all work on it. The caller is such
        // work, or is kept by what keeps the module: a file, a binding, an unsignalled fence, a fence's callback.
        unsafe { workqueue::Queue::from_raw(queue) }.enqueue(self.0);
    }
}

/// Declares a module with one driver for the platform bus.
///
/// Takes what [`module!`](kernel::prelude::module!) takes, with `type` the DRM driver (a
/// [`platform::Driver`](crate::platform::Driver)); or instead of it `parent`, a driver that is the
/// [parent](crate::parent) of such, as the macros for the other buses do. With `virtual_device: c"name",` in front, the module
/// also creates the platform device of that name, for hardware that does not exist.
///
/// # Examples
///
/// ```
/// drm::module_platform_driver! {
///     type: Mini,
///     name: "mini",
///     authors: ["Someone"],
///     description: "A driver that does nothing",
///     license: "Dual MIT/GPL",
/// }
/// ```
#[macro_export]
macro_rules! module_platform_driver {
    (virtual_device: $device:expr, $role:ident: $type:ty, $($info:tt)*) => {
        $crate::__module! {
            [_device: $crate::platform::VirtualDevice =
                $crate::platform::VirtualDevice::new::<$type, $crate::__role!($role)>($device)?]
            [_driver: ::kernel::driver::Registration<$crate::platform::Adapter<$type, $crate::__role!($role)>>]
            [0] $($info)*
        }
    };
    ($role:ident: $type:ty, $($info:tt)*) => {
        $crate::__module! {
            [_device: () = ()]
            [_driver: ::kernel::driver::Registration<$crate::platform::Adapter<$type, $crate::__role!($role)>>]
            [0] $($info)*
        }
    };
}

/// Declares a module with one driver for the PCI bus.
///
/// Takes what [`module!`](kernel::prelude::module!) takes, with `type` the DRM driver (a [`pci::Driver`](crate::pci::Driver)),
/// or `parent` a driver that makes no DRM device ([`parent::Driver`](crate::parent::Driver)).
///
/// # Examples
///
/// ```
/// # driver!(Card, (), CardClient, CardBuffer, drm::NoKms, ioctl::Table::empty());
/// kernel::pci_device_table!(
///     DEVICES,
///     <Card as drm::pci::Driver>::IdInfo,
///     [(drm::pci::device_id(0x1234, 0x5678), "the first of its kind")]
/// );
///
/// impl drm::pci::Driver for Card {
///     type IdInfo = &'static str;
///
///     const ID_TABLE: drm::pci::IdTable<&'static str> = drm::pci::IdTable::new(&DEVICES);
///
///     fn probe<'bound>(
///         cx: &drm::pci::Probe<'bound>,
///         id: Option<&'bound &'static str>,
///     ) -> Result<Ready<'bound, Self>> {
///         cx.enable_device_mem()?;
///         UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(()))
///     }
/// }
///
/// drm::module_pci_driver! {
///     type: Card,
///     name: "card",
///     authors: ["Someone"],
///     description: "A driver that does nothing, for a PCI card",
///     license: "Dual MIT/GPL",
/// }
/// ```
#[macro_export]
macro_rules! module_pci_driver {
    ($role:ident: $type:ty, $($info:tt)*) => {
        $crate::__module! {
            [_device: () = ()]
            [_driver: ::kernel::driver::Registration<$crate::pci::Adapter<$type, $crate::__role!($role)>>]
            [0] $($info)*
        }
    };
}

/// Declares a module with one driver for the auxiliary bus.
///
/// Takes what [`module!`](kernel::prelude::module!) takes, with `type` the DRM driver (an
/// [`auxiliary::Driver`](crate::auxiliary::Driver)), or `parent`.
///
/// # Examples
///
/// ```
/// # driver!(Child, (), ChildClient, ChildBuffer, drm::NoKms, ioctl::Table::empty());
/// kernel::auxiliary_device_table!(
///     DEVICES,
///     <Child as drm::auxiliary::Driver>::IdInfo,
///     [(kernel::auxiliary::DeviceId::new(c"parent_module", c"child"), ())]
/// );
///
/// impl drm::auxiliary::Driver for Child {
///     type IdInfo = ();
///
///     const ID_TABLE: drm::auxiliary::IdTable<()> = drm::auxiliary::IdTable::new(&DEVICES);
///
///     fn probe<'bound>(
///         cx: &drm::auxiliary::Probe<'bound>,
///         _id: Option<&'bound ()>,
///     ) -> Result<Ready<'bound, Self>> {
///         UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(()))
///     }
/// }
///
/// drm::module_auxiliary_driver! {
///     type: Child,
///     name: "child",
///     authors: ["Someone"],
///     description: "A driver that does nothing, for a part of another device",
///     license: "Dual MIT/GPL",
/// }
/// ```
#[macro_export]
macro_rules! module_auxiliary_driver {
    ($role:ident: $type:ty, $($info:tt)*) => {
        $crate::__module! {
            [_device: () = ()]
            [_driver: ::kernel::driver::Registration<$crate::auxiliary::Adapter<$type, $crate::__role!($role)>>]
            [0] $($info)*
        }
    };
}

/// Declares a module with one driver for a faux device, which the module creates under the driver's
/// name and owns.
///
/// Takes what [`module!`](kernel::prelude::module!) takes, with `type` the DRM driver (a [`faux::Driver`](crate::faux::Driver)),
/// or `parent`.
///
/// # Examples
///
/// ```
/// # driver!(Fake, (), FakeClient, FakeBuffer, drm::NoKms, ioctl::Table::empty());
/// impl drm::faux::Driver for Fake {
///     fn probe<'bound>(cx: &drm::faux::Probe<'bound>) -> Result<Ready<'bound, Self>> {
///         UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(()))
///     }
/// }
///
/// drm::module_faux_driver! {
///     type: Fake,
///     name: "fake",
///     authors: ["Someone"],
///     description: "A driver that does nothing, without hardware",
///     license: "Dual MIT/GPL",
/// }
/// ```
#[macro_export]
macro_rules! module_faux_driver {
    ($role:ident: $type:ty, $($info:tt)*) => {
        $crate::__module! {
            [_device: () = ()]
            [_driver: $crate::faux::Registration<$type, $crate::__role!($role)>]
            [1] $($info)*
        }
    };
}

/// Declares a module with one driver that serves devices of several buses: those of `buses`, in whose order it is registered with
/// them.
///
/// Takes what [`module!`](kernel::prelude::module!) takes, with `type` the DRM driver, which implements the driver trait of each
/// bus, or `parent`.
///
/// # Examples
///
/// ```
/// # driver!(Card, (), CardClient, CardBuffer, drm::NoKms, ioctl::Table::empty());
/// # kernel::pci_device_table!(
/// #     DEVICES,
/// #     <Card as drm::pci::Driver>::IdInfo,
/// #     [(drm::pci::device_id(0x1234, 0x5678), ())]
/// # );
/// # impl drm::pci::Driver for Card {
/// #     type IdInfo = ();
/// #     const ID_TABLE: drm::pci::IdTable<()> = drm::pci::IdTable::new(&DEVICES);
/// #     fn probe<'bound>(cx: &drm::pci::Probe<'bound>, _: Option<&'bound ()>) -> Result<Ready<'bound, Self>> {
/// #         UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(()))
/// #     }
/// # }
/// # impl drm::platform::Driver for Card {
/// #     type IdInfo = ();
/// #     fn probe<'bound>(cx: &drm::platform::Probe<'bound>, _: Option<&'bound ()>) -> Result<Ready<'bound, Self>> {
/// #         UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(()))
/// #     }
/// # }
/// drm::module_driver! {
///     buses: [pci, platform],
///     type: Card,
///     name: "card",
///     authors: ["Someone"],
///     description: "A driver that does nothing, for a GPU on a card or in a SoC",
///     license: "Dual MIT/GPL",
/// }
/// ```
#[macro_export]
macro_rules! module_driver {
    (buses: [$($bus:ident),+ $(,)?], $role:ident: $type:ty, $($info:tt)*) => {
        $crate::__module_of_buses! { [] [$($bus)+] [$role: $type] $($info)* }
    };
}

/// Makes a list of registrations of the buses of [`module_driver!`](crate::module_driver!).
#[doc(hidden)]
#[macro_export]
macro_rules! __module_of_buses {
    ([$($done:tt)*] [$bus:ident $($rest:ident)*] [$role:ident: $type:ty] $($info:tt)*) => {
        $crate::__module_of_buses! {
            [
                $($done)*
                $bus: ::kernel::driver::Registration<$crate::$bus::Adapter<$type, $crate::__role!($role)>>,
            ]
            [$($rest)*] [$role: $type] $($info)*
        }
    };
    ([$($done:tt)*] [] [$role:ident: $type:ty] $($info:tt)*) => {
        $crate::__module! { [_device: () = ()] [$($done)*] [0] $($info)* }
    };
}

/// The role that a word in a module's declaration means.
#[doc(hidden)]
#[macro_export]
macro_rules! __role {
    (type) => {
        $crate::bus::Drm
    };
    (parent) => {
        $crate::bus::Parent
    };
}

/// The module of one or more bus adapters: its device if it makes one, the driver's registrations, the runtime, dropped in this
/// order; and how many faux devices are among them.
#[doc(hidden)]
#[macro_export]
macro_rules! __module {
    (
        [$field:ident: $device:ty = $create:expr]
        [$($bus:ident: $driver:ty),+ $(,)?]
        [$faux:literal]
        $($info:tt)*
    ) => {
        static __DRM_RUNTIME: $crate::module::Runtime = $crate::module::Runtime::new();

        #[::kernel::prelude::pin_data]
        struct DrmModule {
            $field: $device,
            $(
                #[pin]
                $bus: $driver,
            )+
            _running: $crate::module::Running,
        }

        // SAFETY: `DrmModule` is what `module!` below gets; its field `_running` is dropped after the drivers.
        unsafe impl $crate::module::ModuleRuntime for DrmModule {
            fn runtime() -> &'static $crate::module::Runtime {
                &__DRM_RUNTIME
            }
        }

        impl ::kernel::InPlaceModule for DrmModule {
            fn init(
                module: &'static ::kernel::ThisModule,
            ) -> impl ::pin_init::PinInit<Self, ::kernel::error::Error> {
                ::kernel::prelude::try_pin_init!(&this in Self {
                    // SAFETY: The last field of the module, which is dropped at its exit. `this` is the module's value: it is
                    // initialised here, and private.
                    _running: unsafe {
                        $crate::module::Running::new(
                            &__DRM_RUNTIME,
                            <Self as ::kernel::ModuleMetadata>::NAME,
                            this.as_ptr(),
                            $faux,
                        )
                    }?,
                    $(
                        $bus <- <$driver>::new(
                            <Self as ::kernel::ModuleMetadata>::NAME,
                            module,
                        ),
                    )+
                    $field: $create,
                })
            }
        }

        ::kernel::prelude::module! {
            type: DrmModule,
            $($info)*
        }
    };
}
