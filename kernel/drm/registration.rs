// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Registration with userspace and its end. Only the bus adapters use this module.
//!
//! A driver never holds a registration, so it cannot forget one (L4). Probe returns a [`Ready`],
//! which the adapter registers. The adapter ends the registration in the bus's remove step (L5).
//!
//! C header: `include/drm/drm_drv.h`; kernel document: Documentation/gpu/drm-uapi.rst, "Device
//! Hot-Unplug".

use crate::{
    kms,
    module::ModuleRuntime,
    owned::Owned,
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
/// [`UnregisteredDevice::ready`](crate::UnregisteredDevice::ready) creates it and probe returns it.
/// If it is dropped instead, after an error, the device is released and userspace never saw it.
#[must_use = "return it from probe: the bus adapter registers the device"]
pub struct Ready<'bound, T: Driver> {
    // Declared before the device: the data may refer to the device, so it is dropped first.
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

/// A registered device. Dropping it ends the registration, in the order of L5.
///
/// # Invariants
///
/// [`Registration::new`] registered the device once, and `data` is published in it.
pub struct Registration<'bound, T: Driver> {
    // The fields are dropped in this order: the device reference is last (L5).
    data: Pin<KBox<T::RegistrationData<'bound>>>,
    owned: Owned<'bound>,
    dev: ARef<Device<T>>,
    /// Whether `drm_dev_register()` succeeded.
    registered: bool,
}

impl<'bound, T: Driver> Registration<'bound, T> {
    /// Registers the device.
    ///
    /// The data is visible before the first ioctl can arrive (L7). If registration fails, userspace
    /// may already have opened a node. The registration then ends like an unplug.
    pub(crate) fn new(ready: Ready<'bound, T>, owned: Owned<'bound>) -> Result<Self> {
        let Ready { data, dev, .. } = ready;
        // INVARIANT: `Drop` runs from here on, even on failure.
        let mut this = Self {
            data,
            owned,
            dev,
            registered: false,
        };

        let data: *const T::RegistrationData<'bound> = &*this.data;
        // SAFETY: The data stays in place until `Drop`, which withdraws it after the last section
        // has ended. Its lifetime encloses the registration, because the bus adapter drops `this`
        // in its remove step (L7).
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
        (<T::Kms as kms::Kind<T>>::OPS.registered)(this.device());
        Ok(this)
    }

    /// Returns the device.
    pub(crate) fn device(&self) -> &Device<T, Registered> {
        // SAFETY: By the type invariants registration has begun (L27).
        unsafe { self.dev.assume_ctx() }
    }
}

impl<T: Driver> Drop for Registration<'_, T> {
    fn drop(&mut self) {
        // The children's drivers use this device, so remove them while it is complete.
        self.owned.remove_children();

        // Displays go off while the hardware can still be reached. If the registration has failed,
        // it cannot, but a client may already have set a mode (K20).
        (<T::Kms as kms::Kind<T>>::OPS.off)(self.device());
        if self.registered {
            // Unplugs rather than unregisters: `drm_dev_unplug()` waits for open sections, zaps the
            // mappings, and makes open files return `ENODEV`.
            //
            // SAFETY: The device is valid and registered (L5).
            unsafe { bindings::drm_dev_unplug(self.dev.as_raw()) };
        } else {
            // On error, `drm_dev_register()` has already marked the device unplugged, waited for
            // the open sections and removed the nodes. A client may have opened a node before. C
            // leaves three things behind: that client's mappings of registers, whose hardware is
            // about to go away, the files in debugfs, which read the driver, and the mark of a
            // registered device, for which it would warn about each object of mode setting that it
            // frees.
            unmap_all(&self.dev);
            // SAFETY: The field is null, an error, or the directory that C made for the device. C
            // distinguishes them, and waits for readers of files in it. Nothing else uses the field
            // until the device is released, and C then does nothing if it is null (L5). C reads the
            // mark in the cleanup that follows, and in calls that are over or fail.
            unsafe {
                let root = &raw mut (*self.dev.as_raw()).debugfs_root;
                bindings::debugfs_remove(root.replace(null_mut()));
                (*self.dev.as_raw()).registered = false;
            }
        }

        (<T::Kms as kms::Kind<T>>::OPS.unplugged)(self.device());

        // SAFETY: Null is always allowed. No section is open and none can be opened: the device is
        // unplugged (L7).
        unsafe { self.dev.publish(null_mut()) };

        T::unplugged(self.device(), &self.data);
        self.owned.quiesce();
        T::OwnerModule::runtime().flush();
        self.dev.core().mappings.undo_all();
        dev_dbg!(self.dev.parent(), "drm: {}: unplugged\n", T::INFO.name);
        // The fields are dropped now: first the data, last the device reference.
    }
}
