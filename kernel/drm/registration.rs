// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Registration with userspace and its end; used by the bus adapters only.
//!
//! A driver never holds a registration, so it cannot forget one (L4): probe returns a [`Ready`], the
//! adapter registers it and ends the registration in the bus's remove step (L5).
//!
//! C header: `include/drm/drm_drv.h`; kernel document: Documentation/gpu/drm-uapi.rst, "Device
//! Hot-Unplug".

use crate::{
    bus::Owned,
    module::ModuleRuntime,
    registers::unmap_all,
    Device,
    Driver,
    Registered, //
};
use core::{
    marker::PhantomData,
    pin::Pin,
    ptr::null_mut, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::aref::ARef, //
};

/// A device that is ready to be registered, with its registration data.
///
/// Made by [`UnregisteredDevice::ready`](crate::UnregisteredDevice::ready), given back by probe.
/// Dropped instead (an error after it), the device goes without ever having been seen by userspace.
#[must_use = "return it from probe: the bus adapter registers the device"]
pub struct Ready<'bound, T: Driver> {
    // Declared before the device: the data may refer to it and goes first.
    data: Pin<KBox<T::RegistrationData<'bound>>>,
    dev: ARef<Device<T>>,
    _probe: PhantomData<fn(&'bound ()) -> &'bound ()>,
}

impl<'bound, T: Driver> Ready<'bound, T> {
    pub(crate) fn new(dev: ARef<Device<T>>, data: Pin<KBox<T::RegistrationData<'bound>>>) -> Self {
        Self {
            data,
            dev,
            _probe: PhantomData,
        }
    }
}

/// A device that is registered; dropping it ends that, in the order of L5.
///
/// # Invariants
///
/// The device was registered once, by [`Registration::new`], and `data` is published in it.
pub struct Registration<'bound, T: Driver> {
    // The order of the fields is the order in which they go: the device reference last (L5).
    data: Pin<KBox<T::RegistrationData<'bound>>>,
    owned: Owned<'bound>,
    dev: ARef<Device<T>>,
    /// Whether `drm_dev_register()` succeeded.
    registered: bool,
}

impl<'bound, T: Driver> Registration<'bound, T> {
    /// Registers the device.
    ///
    /// Its data is visible before the first ioctl can arrive (L7). If registration fails, userspace may
    /// have opened a node already: that ends like an unplug.
    pub(crate) fn new(ready: Ready<'bound, T>, owned: Owned<'bound>) -> Result<Self> {
        let Ready { data, dev, .. } = ready;
        // INVARIANT: `Drop` runs from here on, on failure too.
        let mut this = Self {
            data,
            owned,
            dev,
            registered: false,
        };

        let data: *const T::RegistrationData<'bound> = &*this.data;
        // SAFETY: The data stays in place until `Drop`, which withdraws it after the last section has
        // ended; its lifetime encloses the registration, as the bus adapter drops `this` in its remove
        // step (L7).
        unsafe { this.dev.publish(data.cast_mut().cast()) };

        // SAFETY: The device is initialised and not yet registered: `Ready` was made from the only
        // `UnregisteredDevice` (L1).
        to_result(unsafe { bindings::drm_dev_register(this.dev.as_raw(), 0) }).inspect_err(
            |e| {
                dev_err!(
                    this.dev.parent(),
                    "drm: {}: registration failed: {:?}\n",
                    T::INFO.name,
                    e
                )
            },
        )?;
        this.registered = true;
        dev_dbg!(this.dev.parent(), "drm: {}: registered\n", T::INFO.name);
        Ok(this)
    }

    /// The device.
    pub(crate) fn device(&self) -> &Device<T, Registered> {
        // SAFETY: By the type invariants registration has begun (L27).
        unsafe { self.dev.assume_ctx() }
    }
}

impl<T: Driver> Drop for Registration<'_, T> {
    fn drop(&mut self) {
        // Their drivers use this device: they go while it is whole.
        self.owned.remove_children();

        if self.registered {
            // Unplug rather than unregister: it waits for the open sections, zaps the mappings, and
            // lets open files answer `ENODEV`.
            //
            // SAFETY: The device is valid and registered (L5).
            unsafe { bindings::drm_dev_unplug(self.dev.as_raw()) };
        } else {
            // `drm_dev_register()` has marked the device unplugged, waited for the open sections and
            // removed the nodes before it returned its error. Clients may have opened one before, and
            // what they have mapped C leaves to them: registers, of hardware that is about to go. It
            // leaves the files in debugfs, too, which look at the driver.
            unmap_all(&self.dev);
            // SAFETY: Null, an error, or the directory that C made for the device; C looks which, and waits for those who
            // read a file in it. Nothing else uses the field until the device is released, and C does nothing then if it
            // is null (L5).
            unsafe {
                let root = &raw mut (*self.dev.as_raw()).debugfs_root;
                bindings::debugfs_remove(root.replace(null_mut()));
            }
        }

        // SAFETY: Null is always allowed. No section is open and none can be: the
        // device is unplugged (L7).
        unsafe { self.dev.publish(null_mut()) };

        T::unplugged(self.device(), &self.data);
        self.owned.release_means();
        T::OwnerModule::runtime().flush();
        self.dev.core().mappings.undo_all();
        dev_dbg!(self.dev.parent(), "drm: {}: unplugged\n", T::INFO.name);
        // The fields go now: first the data, the device reference last.
    }
}
