// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! DRM drivers of the platform bus.
//!
//! C header: `include/linux/platform_device.h`

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
    mem::offset_of,
    ptr::{
        null,
        NonNull, //
    },
};
use kernel::{
    acpi,
    bindings,
    device::{
        self,
        Bound,
        CoreInternal, //
    },
    driver::{
        self,
        DriverLayout,
        RegistrationOps, //
    },
    error::{
        from_err_ptr,
        from_result,
        to_result, //
    },
    of,
    platform,
    prelude::*,
    types::Opaque, //
};

/// The platform bus.
pub enum Platform {}

impl Sealed for Platform {}
impl Bus for Platform {
    type Device<Ctx: device::DeviceContext> = platform::Device<Ctx>;

    fn as_bound<'a>(dev: &'a platform::Device<CoreInternal<'_>>) -> &'a platform::Device<Bound> {
        dev
    }
}

/// The probe of a platform device.
pub type Probe<'bound> = super::Probe<'bound, Platform>;

/// A DRM driver for devices of the platform bus.
///
/// A module with one such driver is declared with
/// [`module_platform_driver!`](crate::module_platform_driver!).
pub trait Driver: crate::Driver {
    /// What the driver attaches to each device id of its tables.
    type IdInfo: 'static;

    /// The device-tree match table.
    const OF_ID_TABLE: Option<of::IdTable<Self::IdInfo>> = None;

    /// The ACPI match table.
    const ACPI_ID_TABLE: Option<acpi::IdTable<Self::IdInfo>> = None;

    /// A device is there: prepares it and says with which data it is ready to be registered.
    ///
    /// The adapter registers what is returned. After an error nothing is left of the device.
    ///
    /// Context: process context, may sleep; the device's lock is held.
    fn probe<'bound>(
        cx: &Probe<'bound>,
        id: Option<&'bound Self::IdInfo>,
    ) -> Result<Ready<'bound, Self>>;
}

/// Connects a [`Driver`] with the platform bus. Owns the registrations of its devices.
pub struct Adapter<T: Driver>(PhantomData<T>);

// SAFETY:
// - `struct platform_driver` is a C structure that embeds a `struct device_driver` at this offset.
// - `Binding` is what `probe` stores as driver data.
unsafe impl<T: Driver> DriverLayout for Adapter<T> {
    type DriverType = bindings::platform_driver;
    type DriverData<'bound> = Binding<'bound, T>;
    const DEVICE_DRIVER_OFFSET: usize = offset_of!(bindings::platform_driver, driver);
}

// SAFETY: `unregister` undoes what `register` did; the C functions ask for no more.
unsafe impl<T: Driver> RegistrationOps for Adapter<T> {
    unsafe fn register(
        drv: &Opaque<bindings::platform_driver>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        T::OwnerModule::runtime().admit_driver()?;
        let drv = drv.get();

        // SAFETY: `drv` is initialised and not yet registered, so it is ours alone.
        unsafe {
            (*drv).driver.name = T::INFO.name.as_char_ptr();
            (*drv).driver.pm = PowerTable::<T>::TABLE;
            (*drv).driver.of_match_table = T::OF_ID_TABLE.map_or(null(), |t| t.as_ptr());
            (*drv).driver.acpi_match_table = T::ACPI_ID_TABLE.map_or(null(), |t| t.as_ptr());
            (*drv).probe = Some(Self::probe_callback);
            (*drv).remove = Some(Self::remove_callback);
            (*drv).shutdown = Some(Self::shutdown_callback);
        }

        // SAFETY: `drv` is complete and stays in place until it is unregistered.
        to_result(unsafe {
            bindings::__platform_driver_register(drv, module.as_ptr(), name.as_char_ptr())
        })
    }

    unsafe fn unregister(drv: &Opaque<bindings::platform_driver>) {
        // SAFETY: The caller has registered `drv`.
        unsafe { bindings::platform_driver_unregister(drv.get()) };
    }
}

impl<T: Driver> driver::Adapter for Adapter<T> {
    type IdInfo = T::IdInfo;

    fn acpi_id_table() -> Option<acpi::IdTable<Self::IdInfo>> {
        T::ACPI_ID_TABLE
    }

    fn of_id_table() -> Option<of::IdTable<Self::IdInfo>> {
        T::OF_ID_TABLE
    }
}

impl<T: Driver> Adapter<T> {
    /// # Safety
    ///
    /// Called by C only, as the table says in which it stands.
    unsafe extern "C" fn probe_callback(pdev: *mut bindings::platform_device) -> c_int {
        // SAFETY: The bus passes a valid device; `CoreInternal` holds for the callback.
        let pdev = unsafe { &*pdev.cast::<platform::Device<CoreInternal<'_>>>() };
        // SAFETY: The bus matched `pdev` through the tables of `T`, whose entries are `T::IdInfo`.
        let id = unsafe { <Self as driver::Adapter>::id_info(pdev.as_ref()) };

        from_result(|| {
            Binding::<T>::probe::<Platform>(pdev, |cx| T::probe(cx, id))?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by C only, as the table says in which it stands.
    unsafe extern "C" fn remove_callback(pdev: *mut bindings::platform_device) {
        // SAFETY: As in `probe_callback`.
        let pdev = unsafe { &*pdev.cast::<platform::Device<CoreInternal<'_>>>() };
        // SAFETY: The bus calls remove only after a probe that succeeded, once.
        unsafe { Binding::<T>::remove(pdev.as_ref()) };
    }

    /// # Safety
    ///
    /// Called by C only, as the table says in which it stands.
    unsafe extern "C" fn shutdown_callback(pdev: *mut bindings::platform_device) {
        // SAFETY: As in `probe_callback`.
        let pdev = unsafe { &*pdev.cast::<platform::Device<CoreInternal<'_>>>() };
        // SAFETY: The bus calls shutdown only for a device that is bound, under its lock.
        unsafe { Binding::<T>::shutdown(pdev.as_ref()) };
    }
}

/// A platform device that a module creates by itself, for hardware that does not exist.
///
/// Its 64-bit DMA mask is set before it is added, so that it can import and map any memory. It is
/// removed again, and so unbound, when this value is dropped.
///
/// # Invariants
///
/// `0` is a device that `platform_device_register_full()` returned.
pub struct VirtualDevice(NonNull<bindings::platform_device>);

impl VirtualDevice {
    /// Creates the platform device `name`, to be matched by the driver of the same name.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EEXIST` if there is a device of this name already (another driver's).
    ///
    /// Context: process context, may sleep; the driver's probe runs inside.
    pub fn new(name: &CStr) -> Result<Self> {
        let info = bindings::platform_device_info {
            name: name.as_char_ptr(),
            id: bindings::PLATFORM_DEVID_NONE,
            dma_mask: u64::MAX,
            ..pin_init::zeroed()
        };
        // SAFETY: `info` is complete; C copies what it keeps.
        let pdev = from_err_ptr(unsafe { bindings::platform_device_register_full(&info) })?;

        // INVARIANT: Just registered.
        Ok(Self(NonNull::new(pdev).ok_or(ENODEV)?))
    }
}

impl Drop for VirtualDevice {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, and this is the only owner.
        unsafe { bindings::platform_device_unregister(self.0.as_ptr()) };
    }
}

// SAFETY: A platform device may be removed from any thread.
unsafe impl Send for VirtualDevice {}

// SAFETY: There is nothing to do with a shared reference.
unsafe impl Sync for VirtualDevice {}
