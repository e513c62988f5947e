// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Drivers of the platform bus.
//!
//! C header: `include/linux/platform_device.h`

use super::{
    bus_name,
    is_name,
    Bus,
    Drm,
    IdTable,
    Role,
    Sealed, //
};
use core::ptr::{
    null,
    NonNull, //
};
use kernel::{
    acpi,
    bindings,
    device::{
        self,
        Bound,
        CoreInternal, //
    },
    error::to_result,
    of,
    platform,
    prelude::*, //
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

/// The devices of the device tree that a driver serves, each with an `Info`; made from the array that
/// [`kernel::of_device_table!`] declares.
pub type OfIdTable<Info> = IdTable<of::DeviceId, Info>;

/// The devices of ACPI's tables that a driver serves, each with an `Info`; made from the array that
/// [`kernel::acpi_device_table!`] declares.
pub type AcpiIdTable<Info> = IdTable<acpi::DeviceId, Info>;

/// A driver for devices of the platform bus: a DRM driver, or in the role [`Parent`](super::Parent) the parent of some.
///
/// A module with one such driver is declared with
/// [`module_platform_driver!`](crate::module_platform_driver!).
pub trait Driver<R: 'static = Drm>: Role<R> {
    /// What the driver attaches to each device id of its tables.
    type IdInfo: 'static;

    /// The device-tree match table.
    const OF_ID_TABLE: Option<OfIdTable<Self::IdInfo>> = None;

    /// The ACPI match table.
    const ACPI_ID_TABLE: Option<AcpiIdTable<Self::IdInfo>> = None;

    /// A device is there: prepares it and says with which data it is ready, with a [`Ready`](crate::Ready) to be
    /// registered, or a parent's [`Data`](super::parent::Driver::Data).
    ///
    /// `id` is what the driver's table attaches to the device's entry, if the device was found by one.
    /// The adapter owns what is returned. After an error nothing is left of the device.
    ///
    /// Context: process context, may sleep; the device's lock is held.
    fn probe<'bound>(
        cx: &Probe<'bound>,
        id: Option<&'bound Self::IdInfo>,
    ) -> Result<Self::Ready<'bound>>;
}

adapter! {
    Platform, "platform": platform_driver of platform_device,
    __platform_driver_register, platform_driver_unregister,
    fill(drv): {
        (*drv).driver.name = bus_name::<T, R>().as_char_ptr();
        (*drv).driver.of_match_table = T::OF_ID_TABLE.map_or(null(), |table| table.as_ptr());
        (*drv).driver.acpi_match_table = T::ACPI_ID_TABLE.map_or(null(), |table| table.as_ptr());
    }
    probe(pdev): {
        let dev = core::ptr::from_ref(pdev.as_ref()).cast();
        // SAFETY: The device is valid, and its driver is this one, whose tables C looks in: for device tree and ACPI, the only
        // firmware nodes with match data. What it finds there is a reference to a static `T::IdInfo`, or null (L20).
        unsafe { bindings::device_get_match_data(dev).cast::<T::IdInfo>().as_ref() }
    },
}

/// A platform device that a module creates by itself, for hardware that does not exist.
///
/// Its 64-bit DMA mask is set before it is added, so that it can import and map any memory. It is
/// removed again, and so unbound, when this value is dropped.
///
/// # Invariants
///
/// `0` is a device that was added with `platform_device_add()`.
pub struct VirtualDevice(NonNull<bindings::platform_device>);

impl VirtualDevice {
    /// Creates the platform device `name`, for the driver `T` and no other. For the macro.
    ///
    /// The driver core gives a device with an override to the driver of that name only, whatever the device is called.
    /// No other driver of the bus has the name: `T` is registered.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `name` is empty or has anything but printable ASCII characters without spaces and slashes; `ENOMEM`;
    /// `EEXIST` if there is a device of this name already (another driver's).
    ///
    /// Context: process context, may sleep; the driver's probe runs inside.
    ///
    /// # Safety
    ///
    /// `T`'s adapter is registered with the bus: otherwise a C driver of its name may get the device, and take it for one
    /// that C made (L20).
    #[doc(hidden)]
    pub unsafe fn new<T: Driver<R>, R: 'static>(name: &CStr) -> Result<Self> {
        if !is_name(name) {
            return Err(EINVAL);
        }
        // SAFETY: C copies the name (L20).
        let pdev = unsafe {
            bindings::platform_device_alloc(name.as_char_ptr(), bindings::PLATFORM_DEVID_NONE)
        };
        let pdev = NonNull::new(pdev).ok_or(ENOMEM)?;

        // SAFETY: The device was just made, so it is ours alone until it is added; its mask lies in it. C cuts the override
        // at a newline and takes an empty one for none: an adapter's name has neither (L20, L26).
        let added = unsafe {
            (*pdev.as_ptr()).platform_dma_mask = u64::MAX;
            (*pdev.as_ptr()).dev.coherent_dma_mask = u64::MAX;
            to_result(bindings::__device_set_driver_override(
                &raw mut (*pdev.as_ptr()).dev,
                bus_name::<T, R>().as_char_ptr(),
                bus_name::<T, R>().count_bytes(),
            ))
            .and_then(|()| to_result(bindings::platform_device_add(pdev.as_ptr())))
        };
        if let Err(error) = added {
            // SAFETY: The device is not added; this is its only reference (L21).
            unsafe { bindings::platform_device_put(pdev.as_ptr()) };
            return Err(error);
        }
        // INVARIANT: Just added.
        Ok(Self(pdev))
    }
}

impl Drop for VirtualDevice {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, and this is the only owner (L20, L21).
        unsafe { bindings::platform_device_unregister(self.0.as_ptr()) };
    }
}

// SAFETY: A platform device may be removed from any thread (L15).
unsafe impl Send for VirtualDevice {}

// SAFETY: There is nothing to do with a shared reference (L15).
unsafe impl Sync for VirtualDevice {}
