// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Devices that were never registered, and the one place that allocates devices (L2).
//!
//! C header: `include/drm/drm_drv.h` (`__drm_dev_alloc`)

use super::{
    Device,
    DeviceCore, //
};
use crate::{
    bus::{
        Bus,
        Probe, //
    },
    context::{
        DeviceContext,
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
        AtomicPtr, //
    }, //
};
use kernel::{
    alloc::allocator::Kmalloc,
    bindings,
    device,
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    sync::aref::ARef,
    types::NotThreadSafe, //
};

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
    // Inlined, it would hide the driver's line when the compiler reports what is wrong with a table.
    #[inline(never)]
    pub fn new<B: Bus>(cx: &Probe<'bound, B>, data: impl PinInit<T::Data, Error>) -> Result<Self> {
        Self::with_table(cx, &DriverTable::<T>::DRIVER, data)
    }

    /// Allocates a device like [`new`](Self::new), but without the render node that
    /// [`Driver::FEATURES`] declare. Its ioctls are [`Driver::IOCTLS_WITHOUT_RENDER_NODE`].
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    ///
    /// # Examples
    ///
    /// ```
    /// fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Mini>> {
    ///     UnregisteredDevice::<Mini>::without_render_node(cx, Ok(()))?.ready(Hardware::new(cx))
    /// }
    /// ```
    // As for `new`.
    #[inline(never)]
    pub fn without_render_node<B: Bus>(
        cx: &Probe<'bound, B>,
        data: impl PinInit<T::Data, Error>,
    ) -> Result<Self> {
        Self::with_table(cx, &DriverTable::<T>::WITHOUT_RENDER_NODE, data)
    }

    /// Allocates a device whose C table is one of [`DriverTable<T>`](DriverTable).
    fn with_table<B: Bus>(
        cx: &Probe<'bound, B>,
        table: &'static bindings::drm_driver,
        data: impl PinInit<T::Data, Error>,
    ) -> Result<Self> {
        let this = alloc::<T>(cx.parent(), table)?;

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
        kms: Default::default(),
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
