// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! DRM devices. A driver's probe allocates one, counted references share it, and
//! [`Device::enter`] runs code while it is plugged: registered, with its parent bound.
//!
//! C header: `include/drm/drm_device.h`

use crate::{
    bus::{
        Bus,
        Probe, //
    },
    context::{
        DeviceContext,
        Init,
        Registered,
        Uninit, //
    },
    driver::{
        Driver,
        DriverTable, //
    },
    gem::DmaMappings,
    kms,
    module::ModuleRuntime,
    registers, //
};
use core::{
    ffi::c_void,
    marker::PhantomData,
    mem::offset_of,
    ops::Deref,
    pin::Pin,
    ptr::NonNull,
    sync::atomic::{
        AtomicBool,
        AtomicPtr,
        Ordering, //
    }, //
};
use kernel::{
    alloc::allocator::Kmalloc,
    bindings, device,
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// A DRM device of driver `T`. The context `C` says what is known about it.
///
/// Counted references are `ARef<Device<T>>` (context [`Uninit`]). `Device<T>` dereferences to
/// `T::Data`.
///
/// # Invariants
///
/// - `dev` is a `struct drm_device` that [`UnregisteredDevice::new`] initialised. It is embedded in
///   an allocation of at least `size_of::<Self>()` bytes. The allocation lives until the last
///   reference is dropped.
/// - `core` is initialised as long as a reference to `Self` exists.
/// - The layout of `Self` does not depend on `C`.
/// - What `C` says holds.
#[repr(C)]
pub struct Device<T: Driver, C: DeviceContext = Uninit> {
    dev: Opaque<bindings::drm_device>,
    core: DeviceCore<T>,
    _ctx: PhantomData<C>,
}

/// The crate's own data of a device, beside the C structure. The first managed action drops it.
///
/// # Invariants
///
/// `registration` is null, or points to the `T::RegistrationData` of the device's only
/// registration. That data is valid for as long as `drm_dev_enter()` may succeed on the device.
#[pin_data]
pub(crate) struct DeviceCore<T: Driver> {
    /// Lets [`Device::enter`] refuse a device that is not registered, which C never treats as
    /// "unplugged" (L7). The type is that of `core`, because the kernel crate's atomic pointers
    /// call a C function for each load (L17). Only Rust code uses the field, so the memory models
    /// do not mix.
    registration: AtomicPtr<c_void>,
    /// The DMA mappings of the device's objects. They are undone before the parent is unbound (L5).
    #[pin]
    pub(crate) mappings: DmaMappings,
    /// State for clients that map registers.
    #[pin]
    pub(crate) registers: registers::Mapped,
    /// Whether C was asked to mount a file system with huge pages.
    pub(crate) huge_pages: AtomicBool,
    #[pin]
    data: T::Data,
}

// L2: all contexts of a device share one layout. The contexts have no values, so one check per
// generic instance suffices. `UnregisteredDevice::new` evaluates it.
impl<T: Driver> Device<T> {
    const LAYOUT: core::alloc::Layout = {
        let layout = core::alloc::Layout::new::<Device<T, Uninit>>();
        assert!(size_of::<Device<T, Init>>() == layout.size());
        assert!(size_of::<Device<T, Registered>>() == layout.size());
        assert!(align_of::<Device<T, Registered>>() == layout.align());
        assert!(offset_of!(Device<T, Registered>, dev) == offset_of!(Device<T, Uninit>, dev));
        layout
    };
}

impl<T: Driver, C: DeviceContext> Device<T, C> {
    /// Returns the C device, which is valid as long as `self` is.
    pub(crate) fn as_raw(&self) -> *mut bindings::drm_device {
        self.dev.get()
    }

    /// Returns the crate's own data of the device.
    pub(crate) fn core(&self) -> &DeviceCore<T> {
        &self.core
    }

    /// Returns the device that contains a C device.
    ///
    /// # Safety
    ///
    /// - `ptr` is a `struct drm_device` of driver `T`, initialised by [`UnregisteredDevice::new`],
    ///   and a reference to it is held for `'a`.
    /// - The promise of the context `C` holds for the device (L9, L27).
    pub(crate) unsafe fn from_raw<'a>(ptr: *const bindings::drm_device) -> &'a Self {
        // SAFETY: By the first requirement `ptr` points to the field `dev` of a `Device<T, _>`.
        // Layout and field offsets of that type do not depend on the context (type invariant) (L2).
        unsafe { &*ptr.byte_sub(offset_of!(Self, dev)).cast() }
    }

    /// Returns the same device in another context.
    ///
    /// # Safety
    ///
    /// The promise of `New` holds for the device from now on (L27).
    pub(crate) unsafe fn assume_ctx<New: DeviceContext>(&self) -> &Device<T, New> {
        // CAST: The layout does not depend on the context (type invariant).
        let ptr = core::ptr::from_ref(self).cast();

        // SAFETY: `ptr` comes from a reference with the same lifetime, and the caller vouches for the
        // context (L27).
        unsafe { &*ptr }
    }

    /// Runs `f` while the device is plugged: it is registered, its parent is bound and its
    /// registration data is alive.
    ///
    /// Returns `None` without running `f` before registration, after a failed registration, and
    /// once the device is unplugged. Unplugging waits while `f` runs: the section is an SRCU
    /// section that all DRM devices share. `f` may sleep. Anything that blocks for long, such as
    /// waiting for a fence, belongs outside.
    ///
    /// The section is a closure rather than a guard value. A value could be forgotten, and every
    /// unplug on the machine would then hang (L6).
    ///
    /// Context: any that may take an SRCU read lock (not NMI). Source: `drm_dev_enter()` in
    /// drivers/gpu/drm/drm_drv.c.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn example(dev: &Device<Mini, Registered>) -> Result {
    /// let revision = dev
    ///     .enter(|plugged| plugged.registration(|data| data.revision))
    ///     .ok_or(ENODEV)?;
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn enter<R>(&self, f: impl for<'g> FnOnce(Plugged<'g, T>) -> R) -> Option<R> {
        let mut idx = 0;
        // SAFETY: `self.as_raw()` is valid by the type invariants (L6).
        if !unsafe { bindings::drm_dev_enter(self.as_raw(), &mut idx) } {
            return None;
        }
        let result = self.plugged().map(f);
        // SAFETY: `idx` comes from the successful `drm_dev_enter()` above. The argument of `f`
        // cannot outlive the section, because `f` is generic over its lifetime (L6).
        unsafe { bindings::drm_dev_exit(idx) };
        result
    }

    /// Returns the guard, if the device has registration data.
    ///
    /// The caller must stay in a section of `drm_dev_enter()` for as long as it uses the result.
    #[inline]
    fn plugged(&self) -> Option<Plugged<'_, T>> {
        // Pairs with the release store of `publish`.
        let data = NonNull::new(self.core.registration.load(Ordering::Acquire))?;

        Some(Plugged {
            // SAFETY: The pointer is set just before registration begins. `Registered` adds to
            // `Init` that nothing static is created any more. `Ready`, from which the pointer
            // comes, guarantees that (L7, L27).
            dev: unsafe { self.assume_ctx() },
            data: data.cast(),
            _not_send: PhantomData,
        })
    }

    /// Sets the device's registration data to `data`. A null pointer removes it.
    ///
    /// # Safety
    ///
    /// - A pointer that is not null stays valid until a call with null *and* a grace period of the
    ///   unplug section after that call.
    /// - It points to a `T::RegistrationData` whose lifetime encloses the registration (L7).
    pub(crate) unsafe fn publish(&self, data: *mut c_void) {
        // INVARIANT: By the safety requirements.
        self.core.registration.store(data, Ordering::Release);
    }

    /// Returns whether `self` and `other` are the same instance of the device.
    pub fn is_same<D: DeviceContext>(&self, other: &Device<T, D>) -> bool {
        core::ptr::eq(self.as_raw(), other.as_raw())
    }

    /// Returns the device's unique name, as `drm_get_unique` and fdinfo report it: the name of its
    /// parent.
    pub fn name(&self) -> &CStr {
        self.parent().name()
    }

    /// Returns the parent: the device on its bus. The parent may be unbound. Within
    /// [`Device::enter`] it is bound; see [`Plugged::parent`].
    pub fn parent(&self) -> &device::Device {
        // SAFETY: C took a reference to the parent at allocation and keeps it until the device is
        // released (L21).
        unsafe { device::Device::from_raw((*self.as_raw()).dev) }
    }
}

impl<T: Driver, C: DeviceContext> AsRef<device::Device> for Device<T, C> {
    /// Lets `dev_info!` and similar macros take the device.
    fn as_ref(&self) -> &device::Device {
        self.parent()
    }
}

impl<T: Driver> Deref for Device<T, Uninit> {
    type Target = T::Data;

    fn deref(&self) -> &T::Data {
        &self.core.data
    }
}

/// Dereferences a stronger context to the next weaker one, never back.
macro_rules! impl_context_deref {
    ($($strong:ty => $weak:ty),* $(,)?) => {$(
        impl<T: Driver> Deref for Device<T, $strong> {
            type Target = Device<T, $weak>;

            #[inline]
            fn deref(&self) -> &Self::Target {
                // SAFETY: The promise of the weaker context is part of that of the stronger one
                // (L27).
                unsafe { self.assume_ctx() }
            }
        }
    )*};
}

impl_context_deref!(Registered => Init, Init => Uninit);

impl<T: Driver> From<&Device<T, Registered>> for ARef<Device<T>> {
    fn from(dev: &Device<T, Registered>) -> Self {
        let dev: &Device<T> = dev;
        dev.into()
    }
}

// SAFETY: References are counted by `drm_dev_get()` and `drm_dev_put()` (L21).
unsafe impl<T: Driver> AlwaysRefCounted for Device<T> {
    fn inc_ref(&self) {
        // SAFETY: `self` proves that the count is not zero (L21).
        unsafe { bindings::drm_dev_get(self.as_raw()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns a reference and drops it here. `obj` is valid up to then (L21).
        unsafe { bindings::drm_dev_put(obj.as_ref().as_raw()) };
    }
}

// SAFETY: The C device may be used and released from any thread, and `T::Data` is `Send + Sync`
// (L15).
unsafe impl<T: Driver, C: DeviceContext> Send for Device<T, C> {}

// SAFETY: As for `Send`. The C device does its own locking, and `DeviceCore` consists of atomics,
// locks and `T::Data` (L15).
unsafe impl<T: Driver, C: DeviceContext> Sync for Device<T, C> {}

/// Proof that a device is plugged: it is registered, its parent is bound and its registration data
/// is alive.
///
/// The proof exists only within [`Device::enter`] and guarded ioctls, and cannot leave them. It
/// dereferences to `Device<T, Registered>`.
///
/// # Invariants
///
/// A successful section of `drm_dev_enter()` on `dev` is open for `'g`. `data` is the device's
/// registration data in that section.
pub struct Plugged<'g, T: Driver> {
    dev: &'g Device<T, Registered>,
    data: NonNull<c_void>,
    _not_send: NotThreadSafe,
}

impl<'g, T: Driver> Plugged<'g, T> {
    /// Returns the device, valid for the whole section.
    #[inline]
    pub fn device(&self) -> &'g Device<T, Registered> {
        self.dev
    }

    /// Calls `f` with the registration data.
    ///
    /// The data may borrow from the time during which the parent is bound. The lifetime `'a` names
    /// that time, and `f` may assume only that it covers the section. So a reference to the data
    /// can neither be stored in the data itself (L8) nor leave the section.
    #[inline]
    pub fn registration<R>(&self, f: impl for<'a> FnOnce(&'g T::RegistrationData<'a>) -> R) -> R {
        // SAFETY: By the type invariants and those of `DeviceCore`, the pointer refers to the
        // registration data and is valid for `'g`: teardown waits for open sections before it drops
        // the data. The data's true lifetime encloses the registration and so `'g`. `f` is generic
        // over that lifetime, so it cannot distinguish it from any other (L7, L8).
        f(unsafe { self.data.cast().as_ref() })
    }

    /// Returns the parent, which is bound for the whole section: unbinding waits in the bus's
    /// remove step.
    #[inline]
    pub fn parent(&self) -> &'g device::Device<device::Bound> {
        // SAFETY: The parent is unbound only after its remove step. That step unplugs the device,
        // and unplugging waits for this section (type invariant) (L6).
        unsafe { self.dev.parent().as_bound() }
    }
}

impl<T: Driver> Deref for Plugged<'_, T> {
    type Target = Device<T, Registered>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        self.dev
    }
}

/// A device that was never registered. Owning it is the only way to register the device.
///
/// A driver's probe creates it for the device that is probed; `'bound` names the time during which
/// that device is bound. It may already create GEM objects and load firmware.
/// [`ready`](Self::ready) hands it to the bus adapter, which registers it.
///
/// The type is single-threaded, as the C initialisation of a device is. It dereferences to
/// `Device<T, C>`.
///
/// # Invariants
///
/// - The device was never registered, and no other `UnregisteredDevice` of it exists.
/// - Its parent is the device of the probe that `'bound` belongs to.
/// - The promise of `C` holds for the device.
///
/// # Examples
///
/// ```
/// fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Mini>> {
///     let dev = UnregisteredDevice::<Mini>::new(cx, Ok(()))?;
///     // Objects may be made already; userspace sees none of it before the device is registered.
///     let ring = Object::new(&dev, gem::Size::constant::<4096>(), ())?;
///     dev.ready(Hardware::new(cx))
/// }
/// ```
#[must_use = "a device that is not made ready is dropped without ever being registered"]
pub struct UnregisteredDevice<'bound, T: Driver, C: DeviceContext = Uninit> {
    dev: ARef<Device<T>>,
    /// Invariant in `'bound`: the lifetime is a name and must not be shortened.
    _probe: PhantomData<fn(&'bound ()) -> &'bound ()>,
    _ctx: PhantomData<C>,
    _not_thread_safe: NotThreadSafe,
}

impl<'bound, T: Driver> UnregisteredDevice<'bound, T> {
    /// Allocates a device whose parent is the device being probed, and initialises its data.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, with `ENODEV` if the DRM core is not initialised, with `EINVAL` for
    /// features that exclude each other, and with any error from `data`. After an error nothing is
    /// left (L3).
    ///
    /// Context: process context, may sleep. Source: `__drm_dev_alloc()` in drivers/gpu/drm/drm_drv.c.
    pub fn new<B: Bus>(cx: &Probe<'bound, B>, data: impl PinInit<T::Data, Error>) -> Result<Self> {
        let this = alloc::<T>(cx.parent(), &DriverTable::<T>::DRIVER)?;

        // INVARIANT: The device is new, and its parent is that of the probe named `'bound`.
        let this = Self::from_new(init_core(this, data)?);
        // The adapter keeps the mappings, because this value could be forgotten (L4).
        cx.owned
            .mappings
            .add(Ok(Mapped(this.dev.clone())))
            .map(drop)?;
        if let Some(dma) = B::dma_device(cx.device()) {
            // SAFETY: Both devices are valid, and C takes a reference. No other code knows the new
            // device (L21).
            unsafe {
                bindings::drm_dev_set_dma_dev(
                    this.as_raw(),
                    core::ptr::from_ref(dma).cast_mut().cast(),
                );
            }
        }
        dev_dbg!(this.parent(), "drm: {}: allocated\n", T::INFO.name);
        Ok(this)
    }
}

/// Allocates and initialises the C device, but no other part of a `Device<T>`.
///
/// This is the only place that passes size and offset to C. Both come from the one type
/// `Device<T, Uninit>` (L2).
fn alloc<T: Driver>(
    parent: &device::Device<device::Bound>,
    table: &'static bindings::drm_driver,
) -> Result<NonNull<Device<T>>> {
    let layout = Kmalloc::aligned_layout(Device::<T>::LAYOUT);

    // SAFETY:
    // - `parent` is a valid device. `table` lives as long as the driver's module
    //   (L3: one table from the first moment to the last).
    // - The allocation is as large as `Device<T, Uninit>`, and the C device lies at the field `dev`
    //   of that type (L2).
    let raw = unsafe {
        bindings::__drm_dev_alloc(
            core::ptr::from_ref(parent).cast_mut().cast(),
            table,
            layout.size(),
            offset_of!(Device<T, Uninit>, dev),
        )
    };
    NonNull::new(from_err_ptr(raw)?.cast()).ok_or(ENOMEM)
}

/// A device whose parent may map objects for DMA. Dropping it undoes the mappings that are left: in
/// the remove step, which has already undone them, or when the probe fails (L5).
struct Mapped<T: Driver>(ARef<Device<T>>);

impl<T: Driver> Drop for Mapped<T> {
    fn drop(&mut self) {
        self.0.core().mappings.undo_all();
    }
}

/// Initialises the rest of a device and adds the first managed action, which drops it again.
///
/// Takes the only reference to `this`, and drops it on error.
fn init_core<T: Driver>(
    this: NonNull<Device<T>>,
    data: impl PinInit<T::Data, Error>,
) -> Result<ARef<Device<T>>> {
    // SAFETY: `alloc` returned memory of this layout (L2).
    let raw = unsafe { &raw mut (*this.as_ptr()).dev }.cast();
    // SAFETY: As above (L2).
    let core = unsafe { &raw mut (*this.as_ptr()).core };

    let init = try_pin_init!(DeviceCore {
        registration: AtomicPtr::new(core::ptr::null_mut()),
        mappings <- DmaMappings::new(),
        registers <- registers::Mapped::new(),
        huge_pages: AtomicBool::new(false),
        data <- data,
    }? Error);

    // SAFETY: `raw` is a new device; its managed actions are C's own (L15).
    let counted = unsafe { T::OwnerModule::runtime().count(raw) };
    // SAFETY: `core` is uninitialised memory of the right layout that never moves. On error nothing
    // in it stays initialised (L3).
    let filled = counted.and_then(|()| unsafe { pin_init::raw_try_init(core, init) });
    let result = filled.and_then(|()| {
        // SAFETY: `raw` is valid. The action drops `core` exactly once, or immediately if it cannot
        // be added. Later actions run before it (last in, first out), so they may still use the
        // data (L3).
        to_result(unsafe {
            crate::raw::__drmm_add_action_or_reset(
                raw,
                Some(drop_core::<T>),
                core.cast(),
                c"drm_rust: device data".as_char_ptr(),
            )
        })
    });
    if let Err(e) = result {
        // SAFETY: We own the only reference. At most one managed action is ours, the count, and it
        // does not read `core`. So C frees the memory without touching `core` (L3).
        unsafe { bindings::drm_dev_put(raw) };
        return Err(e);
    }

    // SAFETY: The device is completely initialised, and we own its first reference (L3).
    Ok(unsafe { ARef::from_raw(this) })
}

/// Drops what `init_core` initialised, as a managed action.
///
/// # Safety
///
/// Called only by C, with the argument that `init_core` passed, once (L20).
unsafe extern "C" fn drop_core<T: Driver>(_dev: *mut bindings::drm_device, core: *mut c_void) {
    // SAFETY: `core` is what `init_core` passed, initialised and pinned; C calls an action once, when
    // the device has no reference left (L3).
    unsafe { core::ptr::drop_in_place(core.cast::<DeviceCore<T>>()) };
}

impl<'bound, T: Driver, C: DeviceContext> UnregisteredDevice<'bound, T, C> {
    /// # Invariants
    ///
    /// The caller upholds the type invariants: `dev` is new, or comes from another context of the
    /// same `UnregisteredDevice`, which is consumed.
    pub(crate) fn from_new(dev: ARef<Device<T>>) -> Self {
        Self {
            dev,
            _probe: PhantomData,
            _ctx: PhantomData,
            _not_thread_safe: PhantomData,
        }
    }

    pub(crate) fn into_device(self) -> ARef<Device<T>> {
        self.dev
    }

    /// Marks the device as ready to be registered, with the data that lives while it is registered.
    ///
    /// Probe returns the result to the bus adapter, which registers the device. A driver that
    /// declares mode setting must call [`init_kms`](UnregisteredDevice::init_kms) first.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM` and with any error from `data`. The device is then dropped.
    ///
    /// Context: process context, may sleep.
    pub fn ready(
        self,
        data: impl PinInit<T::RegistrationData<'bound>, Error>,
    ) -> Result<crate::Ready<'bound, T>>
    where
        T::Kms: kms::ReadyIn<C>,
    {
        let data: Pin<KBox<T::RegistrationData<'bound>>> = KBox::pin_init(data, GFP_KERNEL)?;
        Ok(crate::Ready::new(self.dev, data))
    }
}

impl<T: Driver, C: DeviceContext> Deref for UnregisteredDevice<'_, T, C> {
    type Target = Device<T, C>;

    fn deref(&self) -> &Self::Target {
        // SAFETY: The promise of `C` holds by the type invariants (L27).
        unsafe { self.dev.assume_ctx() }
    }
}
