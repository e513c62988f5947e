// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The auxiliary bus: parts of a device as devices of their own, each with its driver.
//!
//! A driver that is a parent makes a child in its probe, with [`Probe::add_auxiliary`](super::Probe::add_auxiliary). The
//! child's driver, in another module maybe, is a [`Driver`] here; it finds the parent's data for it with
//! [`auxiliary::Device::registration_data`](kernel::auxiliary::Device).
//!
//! C header: `include/linux/auxiliary_bus.h`; kernel document:
//! Documentation/driver-api/auxiliary_bus.rst

use super::{
    power::PowerTable,
    Binding,
    Bus,
    Sealed, //
};
use crate::{
    module::ModuleRuntime,
    Ready, //
};
use core::{
    marker::PhantomData,
    mem::offset_of, //
};
use kernel::{
    auxiliary::{
        self,
        DeviceId, //
    },
    bindings,
    device::{
        self,
        Bound,
        CoreInternal, //
    },
    device_id::RawDeviceIdIndex,
    driver::{
        DriverLayout,
        RegistrationOps, //
    },
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    types::{
        ForLt,
        Opaque, //
    },
    ModuleMetadata, //
};

/// The auxiliary bus.
pub enum Auxiliary {}

impl Sealed for Auxiliary {}
impl Bus for Auxiliary {
    type Device<Ctx: device::DeviceContext> = auxiliary::Device<Ctx>;

    fn as_bound<'a>(dev: &'a auxiliary::Device<CoreInternal<'_>>) -> &'a auxiliary::Device<Bound> {
        dev
    }
}

/// The probe of an auxiliary device. Dereferences to
/// [`auxiliary::Device<Bound>`](kernel::auxiliary::Device), which has the parent and its data.
pub type Probe<'bound> = super::Probe<'bound, Auxiliary>;

/// The auxiliary devices that a driver serves, each with an `Info`; made from the array that
/// [`kernel::auxiliary_device_table!`] declares.
pub type IdTable<Info> = super::IdTable<DeviceId, Info>;

/// A DRM driver for devices of the auxiliary bus.
///
/// A module with one such driver is declared with
/// [`module_auxiliary_driver!`](crate::module_auxiliary_driver!).
pub trait Driver: crate::Driver {
    /// What the driver attaches to each device id of its table.
    type IdInfo: 'static;

    /// The match table, of names `MODULE.NAME`: the parent's module and the child's name.
    const ID_TABLE: IdTable<Self::IdInfo>;

    /// A device is there: prepares it and says with which data it is ready to be registered.
    ///
    /// The adapter registers what is returned. After an error nothing is left of the device. The parent
    /// is bound for all of `'bound`: it removes its children before anything else. It may be
    /// in its own probe still.
    ///
    /// Context: process context, may sleep; the device's lock is held, and maybe the parent's.
    fn probe<'bound>(
        cx: &Probe<'bound>,
        id: Option<&'bound Self::IdInfo>,
    ) -> Result<Ready<'bound, Self>>;
}

impl<'bound, B: Bus> super::Probe<'bound, B> {
    /// Makes a child on the auxiliary bus: the device `MODULE.NAME.ID`, where `M` is this driver's module
    /// (`crate::LocalModule`).
    ///
    /// `data` is what the child's driver gets from its device's `registration_data`. It may borrow from
    /// the time for which this device is bound, and share what the driver keeps by counted reference
    /// (`Arc<Bar<'bound>>`, say). The adapter owns the child. It goes, and its driver with it, as the first
    /// act of the remove step, or when the probe fails.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, what `data` fails with, and `EEXIST` if there is a device of that name and `id`: two devices
    /// of one driver need different ids.
    ///
    /// Context: process context, may sleep; the child's driver may probe inside.
    pub fn add_auxiliary<M: ModuleMetadata, F: ForLt + 'static>(
        &self,
        name: &'static CStr,
        id: u32,
        data: impl PinInit<F::Of<'bound>, Error>,
    ) -> Result
    where
        for<'a> F::Of<'a>: Send + Sync,
    {
        self.concurrent.set(true);
        // SAFETY: The list owns the registration and drops it while this device is bound: in the
        // remove step or when the probe fails. It cannot be forgotten, the driver never gets it.
        let child = unsafe {
            auxiliary::Registration::<'bound, F>::new_with_lt(
                self.parent(),
                name,
                id,
                M::NAME,
                data,
            )
        };

        self.owned.children.add(child).map(drop)
    }
}

/// Connects a [`Driver`] with the auxiliary bus. Owns the registrations of its devices.
pub struct Adapter<T: Driver>(PhantomData<T>);

// SAFETY:
// - `struct auxiliary_driver` is a C structure that embeds a `struct device_driver` at this offset.
// - `Binding` is what `probe` stores as driver data.
unsafe impl<T: Driver> DriverLayout for Adapter<T> {
    type DriverType = bindings::auxiliary_driver;
    type DriverData<'bound> = Binding<'bound, T>;
    const DEVICE_DRIVER_OFFSET: usize = offset_of!(bindings::auxiliary_driver, driver);
}

// SAFETY: `unregister` undoes what `register` did; the C functions ask for no more.
unsafe impl<T: Driver> RegistrationOps for Adapter<T> {
    unsafe fn register(
        drv: &Opaque<bindings::auxiliary_driver>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        T::OwnerModule::runtime().admit_driver()?;
        let drv = drv.get();

        // SAFETY: `drv` is initialised and not yet registered, so it is ours alone.
        unsafe {
            (*drv).name = T::INFO.name.as_char_ptr();
            (*drv).id_table = T::ID_TABLE.as_ptr();
            (*drv).driver.pm = PowerTable::<T>::TABLE;
            (*drv).probe = Some(Self::probe_callback);
            (*drv).remove = Some(Self::remove_callback);
            (*drv).shutdown = Some(Self::shutdown_callback);
        }

        // SAFETY: `drv` is complete and stays in place until it is unregistered.
        to_result(unsafe {
            bindings::__auxiliary_driver_register(drv, module.as_ptr(), name.as_char_ptr())
        })
    }

    unsafe fn unregister(drv: &Opaque<bindings::auxiliary_driver>) {
        // SAFETY: The caller has registered `drv`.
        unsafe { bindings::auxiliary_driver_unregister(drv.get()) };
    }
}

impl<T: Driver> Adapter<T> {
    /// # Safety
    ///
    /// Called by C only, as the table says in which it stands.
    unsafe extern "C" fn probe_callback(
        adev: *mut bindings::auxiliary_device,
        id: *const bindings::auxiliary_device_id,
    ) -> c_int {
        // SAFETY: The bus passes a valid device; `CoreInternal` holds for the callback.
        let adev = unsafe { &*adev.cast::<auxiliary::Device<CoreInternal<'_>>>() };
        // SAFETY: The entry is of the table of `T`, whose infos are `T::IdInfo`; or one without an info.
        let id = unsafe { (*id.cast::<DeviceId>()).info_unchecked_opt::<T::IdInfo>() };

        from_result(|| {
            Binding::<T>::probe::<Auxiliary>(adev, |cx| T::probe(cx, id))?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by C only, as the table says in which it stands.
    unsafe extern "C" fn remove_callback(adev: *mut bindings::auxiliary_device) {
        // SAFETY: As in `probe_callback`.
        let adev = unsafe { &*adev.cast::<auxiliary::Device<CoreInternal<'_>>>() };
        // SAFETY: The bus calls remove only after a probe that succeeded, once.
        unsafe { Binding::<T>::remove(adev.as_ref()) };
    }

    /// # Safety
    ///
    /// Called by C only, as the table says in which it stands.
    unsafe extern "C" fn shutdown_callback(adev: *mut bindings::auxiliary_device) {
        // SAFETY: As in `probe_callback`.
        let adev = unsafe { &*adev.cast::<auxiliary::Device<CoreInternal<'_>>>() };
        // SAFETY: The bus calls shutdown only for a device that is bound, under its lock.
        unsafe { Binding::<T>::shutdown(adev.as_ref()) };
    }
}
