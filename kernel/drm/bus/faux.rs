// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! DRM drivers without hardware, on the faux bus, whose devices a module creates itself.
//!
//! A faux device is removed only with its module. It cannot be unbound through sysfs, and takes no
//! part in system sleep. Use the [platform bus](super::platform) for a virtual driver that must be
//! unbindable.
//!
//! C header: `include/linux/device/faux.h`; behaviour: drivers/base/faux.c

use super::{
    bus_name,
    Binding,
    Bus,
    Drm,
    Role,
    Sealed, //
};
use crate::module::ModuleRuntime;
use core::{
    marker::PhantomData,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::{
    bindings,
    device::{
        self,
        Bound,
        CoreInternal, //
    },
    error::{
        from_result,
        to_result, //
    },
    faux,
    prelude::*,
    types::ForeignOwnable, //
};

/// The faux bus.
pub enum Faux {}

impl Sealed for Faux {}
impl Bus for Faux {
    type Device<Ctx: device::DeviceContext> = faux::Device<Ctx>;

    fn as_bound<'a>(dev: &'a faux::Device<CoreInternal<'_>>) -> &'a faux::Device<Bound> {
        // SAFETY: The layout does not depend on the context. A device in a bus callback is bound
        // (L20).
        unsafe { &*core::ptr::from_ref(dev).cast() }
    }
}

/// The probe of a faux device.
pub type Probe<'bound> = super::Probe<'bound, Faux>;

/// A driver for a faux device: a DRM driver, or in the role [`Parent`](super::Parent) a driver
/// whose device has children.
///
/// Declare a module with one such driver with [`module_faux_driver!`](crate::module_faux_driver!).
/// The module creates the device, under the driver's name.
pub trait Driver<R: 'static = Drm>: Role<R> {
    /// Prepares the device that the module created. Returns a [`Ready`](crate::Ready) to be
    /// registered, or a parent's [`Data`](super::parent::Driver::Data).
    ///
    /// The adapter owns the result. After an error nothing is left of the device, and loading the
    /// module fails. The device's DMA mask is 64 bits wide unless the driver sets another, so the
    /// device can import and map any memory.
    ///
    /// Context: process context, may sleep; the device's lock is held.
    fn probe<'bound>(cx: &Probe<'bound>) -> Result<Self::Ready<'bound>>;
}

/// The faux device of driver `T`. A module has one for as long as it is loaded.
///
/// # Invariants
///
/// `device` is the result of `faux_device_create()` with the callbacks of `T`.
pub struct Registration<T: Driver<R>, R: 'static = Drm> {
    device: NonNull<bindings::faux_device>,
    _driver: PhantomData<fn(T, R)>,
}

impl<T: Driver<R>, R: 'static> Registration<T, R> {
    const OPS: bindings::faux_device_ops = {
        assert!(
            !T::HAS_PM,
            "a faux device has no part in system sleep: its driver has neither displays nor `suspend` nor `resume`"
        );
        bindings::faux_device_ops {
            probe: Some(Self::probe_callback),
            remove: Some(Self::remove_callback),
        }
    };

    /// Creates the device. The macro calls this with the arguments for registering a driver.
    ///
    /// # Errors
    ///
    /// Fails with `ENODEV` if the device cannot be created or its probe fails; the kernel's log has
    /// the error. Fails with `EBUSY` if the module already has the device.
    ///
    /// Context: process context, may sleep; the driver's probe runs inside this call.
    #[doc(hidden)]
    pub fn new(_name: &'static CStr, _module: &'static ThisModule) -> Result<Self> {
        T::OwnerModule::runtime().admit_device()?;

        // SAFETY: C copies the name. It uses the callbacks until the device is destroyed: by this
        // value's `Drop`, in the module's exit, or before the call returns null (L4, L20).
        let device = unsafe {
            bindings::faux_device_create(bus_name::<T, R>().as_char_ptr(), null_mut(), &Self::OPS)
        };
        // INVARIANT: The device was just created.
        Ok(Self {
            device: NonNull::new(device).ok_or(ENODEV)?,
            _driver: PhantomData,
        })
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn probe_callback(fdev: *mut bindings::faux_device) -> c_int {
        // SAFETY: The bus passes a valid device, under its lock. No code uses it for DMA yet, and
        // the mask lies in it (L26).
        let dma = unsafe {
            (*fdev).dev.dma_mask = &raw mut (*fdev).dev.coherent_dma_mask;
            bindings::dma_set_mask_and_coherent(&raw mut (*fdev).dev, u64::MAX)
        };
        // SAFETY: As above. `CoreInternal` holds for the callback (L20).
        let fdev = unsafe { &*fdev.cast::<faux::Device<CoreInternal<'_>>>() };

        from_result(|| {
            to_result(dma)?;
            Binding::<T, R>::probe::<Faux>(fdev, |cx| T::probe(cx))?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn remove_callback(fdev: *mut bindings::faux_device) {
        // SAFETY: The bus passes a valid device. `CoreInternal` holds for the callback (L20).
        let dev = unsafe { &*fdev.cast::<faux::Device<CoreInternal<'_>>>() };
        // SAFETY: The bus calls remove only after a successful probe, once (L20).
        unsafe { Binding::<T, R>::remove(dev.as_ref()) };

        // The kernel crate has no glue for this bus that would take the data back.
        //
        // SAFETY: `Binding::probe` stored it with `Device::set_drvdata()`, as a box of this type.
        // This is its last use: the bus calls remove once for each successful probe, under the
        // device's lock (L20).
        unsafe {
            let binding = bindings::dev_get_drvdata(&raw const (*fdev).dev);
            bindings::dev_set_drvdata(&raw mut (*fdev).dev, null_mut());
            drop(Pin::<KBox<Binding<'_, T, R>>>::from_foreign(binding.cast()));
        }
    }
}

impl<T: Driver<R>, R: 'static> Drop for Registration<T, R> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, and this value is the only owner (L20, L21).
        unsafe { bindings::faux_device_destroy(self.device.as_ptr()) };
    }
}

// SAFETY: A faux device may be destroyed from any thread (L15).
unsafe impl<T: Driver<R>, R: 'static> Send for Registration<T, R> {}

// SAFETY: A shared reference offers no operation (L15).
unsafe impl<T: Driver<R>, R: 'static> Sync for Registration<T, R> {}
