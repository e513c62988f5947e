// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! System sleep: the callbacks that all adapters share.
//!
//! Source: Documentation/driver-api/pm/devices.rst, `include/linux/pm.h`.

use super::Binding;
use crate::{
    Driver,
    Plugged, //
};
use core::marker::PhantomData;
use kernel::{
    bindings,
    device::{
        CoreInternal,
        Device, //
    },
    error::from_result,
    prelude::*, //
};

/// The power-management table of driver `T`, used by every bus.
pub(super) struct PowerTable<T: Driver>(PhantomData<T>);

impl<T: Driver> PowerTable<T> {
    const OPS: bindings::dev_pm_ops = bindings::dev_pm_ops {
        suspend: Some(Self::suspend),
        resume: Some(Self::resume),
        freeze: Some(Self::suspend),
        thaw: Some(Self::resume),
        poweroff: Some(Self::suspend),
        restore: Some(Self::resume),
        ..pin_init::zeroed()
    };

    /// The table, if the driver has a part in system sleep at all.
    pub(super) const TABLE: *const bindings::dev_pm_ops = if T::HAS_SUSPEND || T::HAS_RESUME {
        &Self::OPS
    } else {
        core::ptr::null()
    };

    /// # Safety
    ///
    /// Called by C only, as the table says in which it stands.
    unsafe extern "C" fn suspend(dev: *mut bindings::device) -> c_int {
        // SAFETY: The driver core calls this for a device that is bound to the adapter of `T`.
        unsafe {
            Self::call(dev, |plugged| {
                plugged.registration(|data| T::suspend(&plugged, data))
            })
        }
    }

    /// # Safety
    ///
    /// Called by C only, as the table says in which it stands.
    unsafe extern "C" fn resume(dev: *mut bindings::device) -> c_int {
        // SAFETY: As above.
        unsafe {
            Self::call(dev, |plugged| {
                plugged.registration(|data| T::resume(&plugged, data))
            })
        }
    }

    /// # Safety
    ///
    /// `dev` is bound to the adapter of `T`, and the driver core called one of the callbacks above.
    unsafe fn call(
        dev: *mut bindings::device,
        f: impl for<'g> FnOnce(Plugged<'g, T>) -> Result,
    ) -> c_int {
        // SAFETY: `dev` is valid for the callback.
        let dev = unsafe { Device::<CoreInternal<'_>>::from_raw(dev) };

        from_result(|| {
            // SAFETY: By the requirements, the adapter has stored its binding.
            unsafe { Binding::<T>::with(dev, |registration| registration.device().enter(f)) }
                .flatten()
                .unwrap_or(Ok(()))?;
            Ok(0)
        })
    }
}
