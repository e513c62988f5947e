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
use crate::registers::RegisterPage;
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
    io::resource::Flags,
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

/// The device-tree devices that a driver serves, each with an `Info`. It is made from the array
/// that [`kernel::of_device_table!`] declares.
pub type OfIdTable<Info> = IdTable<of::DeviceId, Info>;

/// The ACPI devices that a driver serves, each with an `Info`. It is made from the array that
/// [`kernel::acpi_device_table!`] declares.
pub type AcpiIdTable<Info> = IdTable<acpi::DeviceId, Info>;

/// A driver for devices of the platform bus: a DRM driver, or in the role [`Parent`](super::Parent)
/// a driver whose devices have children.
///
/// Declare a module with one such driver with
/// [`module_platform_driver!`](crate::module_platform_driver!).
pub trait Driver<R: 'static = Drm>: Role<R> {
    /// The data that the driver attaches to each device id of its tables.
    type IdInfo: 'static;

    /// The device-tree match table.
    const OF_ID_TABLE: Option<OfIdTable<Self::IdInfo>> = None;

    /// The ACPI match table.
    const ACPI_ID_TABLE: Option<AcpiIdTable<Self::IdInfo>> = None;

    /// Prepares the device. Returns a [`Ready`](crate::Ready) to be registered, or a parent's
    /// [`Data`](super::parent::Driver::Data).
    ///
    /// `id` is the data that the driver's table attaches to the device's entry, if the device was
    /// matched by one. The adapter owns the result. After an error nothing is left of the device.
    ///
    /// Context: process context, may sleep; the device's lock is held.
    fn probe<'bound>(
        cx: &Probe<'bound>,
        id: Option<&'bound Self::IdInfo>,
    ) -> Result<Self::Ready<'bound>>;
}

impl<'bound> Probe<'bound> {
    /// Returns the page of registers at `offset` of the device's memory `index`, for clients to
    /// map.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if `offset` is not aligned or lies beyond the memory, and with `ENODEV`
    /// if there is no such memory.
    ///
    /// Context: process context.
    pub fn register_page(&self, index: u32, offset: u64) -> Result<RegisterPage<'bound>> {
        let resource = self.device().resource_by_index(index).ok_or(ENODEV)?;
        if !resource.flags().contains(Flags::IORESOURCE_MEM) {
            return Err(EINVAL);
        }
        // INVARIANT: The memory belongs to the device, which is bound for `'bound`.
        RegisterPage::within(resource.start(), resource.size(), offset)
    }
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
        // SAFETY: The device is valid. Its driver is this one, whose tables C searches: those for
        // device tree and ACPI, the only firmware nodes with match data. C finds a reference to a
        // static `T::IdInfo`, or null (L20).
        unsafe { bindings::device_get_match_data(dev).cast::<T::IdInfo>().as_ref() }
    },
}

/// A platform device that a module creates itself, for hardware that does not exist.
///
/// Its 64-bit DMA mask is set before it is added, so it can import and map any memory. Dropping
/// this value removes the device, and so unbinds it.
///
/// # Invariants
///
/// `0` is a device that was added with `platform_device_add()`.
struct VirtualDevice(NonNull<bindings::platform_device>);

impl VirtualDevice {
    /// Creates the platform device `name` for the driver `T` only, with a number behind the name if
    /// `id` is one.
    ///
    /// The driver core gives a device with an override only to the driver of that name, whatever
    /// the device is called. No other driver of the bus has the name, because `T` is registered.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if `name` is empty or has anything but printable ASCII characters
    /// without spaces and slashes. Fails with `ENOMEM`. Fails with `EEXIST` if another driver's
    /// device already has this name.
    ///
    /// Context: process context, may sleep; the driver's probe runs inside this call.
    ///
    /// # Safety
    ///
    /// `T`'s adapter is registered with the bus. Otherwise a C driver of its name may get the
    /// device, and take it for a device that C made (L20).
    unsafe fn new<T: Driver<R>, R: 'static>(name: &CStr, id: c_int) -> Result<Self> {
        if !is_name(name) {
            return Err(EINVAL);
        }
        // SAFETY: C copies the name (L20).
        let pdev = unsafe { bindings::platform_device_alloc(name.as_char_ptr(), id) };
        let pdev = NonNull::new(pdev).ok_or(ENOMEM)?;

        // SAFETY: The device was just made, so no other code uses it until it is added. Its mask
        // lies in it. C cuts the override at a newline and ignores an empty one. An adapter's name
        // is neither empty nor has a newline (L20, L26).
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
            // SAFETY: The device is not added, and this is its only reference (L21).
            unsafe { bindings::platform_device_put(pdev.as_ptr()) };
            return Err(error);
        }
        // INVARIANT: The device was just added.
        Ok(Self(pdev))
    }
}

/// The platform devices that a module creates itself, for hardware that does not exist. The macro
/// makes this value; dropping it removes the devices, the last one first.
#[doc(hidden)]
pub struct VirtualDevices(KVec<VirtualDevice>);

impl VirtualDevices {
    /// Returns the devices of a module that has none.
    pub const fn none() -> Self {
        Self(KVec::new())
    }

    /// Creates `count` devices for the driver `T` only: the first is called `name`, the second
    /// `name.1`, and so on.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM` and with the errors of [`VirtualDevice::new`]. No device is left then.
    ///
    /// # Safety
    ///
    /// `T`'s adapter is registered with the bus (L20).
    pub unsafe fn new<T: Driver<R>, R: 'static>(name: &CStr, count: usize) -> Result<Self> {
        let mut this = Self::none();
        for number in 0..count {
            let id = match number {
                0 => bindings::PLATFORM_DEVID_NONE,
                _ => c_int::try_from(number)?,
            };
            // SAFETY: By the requirement (L20).
            let device = unsafe { VirtualDevice::new::<T, R>(name, id)? };
            this.0.push(device, GFP_KERNEL)?;
        }
        Ok(this)
    }
}

impl Drop for VirtualDevices {
    fn drop(&mut self) {
        while let Some(last) = self.0.pop() {
            drop(last);
        }
    }
}

impl Drop for VirtualDevice {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, and this value is the only owner (L20, L21).
        unsafe { bindings::platform_device_unregister(self.0.as_ptr()) };
    }
}

// SAFETY: A platform device may be removed from any thread (L15).
unsafe impl Send for VirtualDevice {}

// SAFETY: A shared reference offers no operation (L15).
unsafe impl Sync for VirtualDevice {}
