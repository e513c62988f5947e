// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! DRM devices. A driver's probe allocates one, counted references share it, and
//! [`Device::enter`] runs code while it is plugged: registered, with its parent bound.
//!
//! C header: `include/drm/drm_device.h`

mod unregistered;

pub use unregistered::UnregisteredDevice;

use crate::{
    context::{
        DeviceContext,
        Init,
        Registered,
        Uninit, //
    },
    gem::DmaMappings,
    kms,
    registers,
    Driver, //
};
use core::{
    ffi::c_void,
    marker::PhantomData,
    mem::offset_of,
    ops::Deref,
    ptr::NonNull,
    sync::atomic::{
        AtomicBool,
        AtomicPtr,
        Ordering, //
    }, //
};
use kernel::{
    bindings, device,
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
    /// State of mode setting; nothing for a driver without it.
    pub(crate) kms: <T::Kms as kms::Kind<T>>::Core,
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

    /// Returns what [`enter`](Self::enter) gives to its closure, for code that an open section calls
    /// by way of C.
    ///
    /// # Safety
    ///
    /// A section of `drm_dev_enter()` on this device is open for `'g`, in this thread (L6).
    #[inline]
    pub(crate) unsafe fn plugged_in_section<'g>(&'g self) -> Option<Plugged<'g, T>> {
        self.plugged()
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
