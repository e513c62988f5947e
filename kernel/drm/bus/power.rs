// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! System sleep: the callbacks that all adapters share.
//!
//! Source: Documentation/driver-api/pm/devices.rst, `include/linux/pm.h`.

use super::{
    Binding,
    Role, //
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

/// The power-management table of driver `T` in the role `R`, used by every bus.
pub(super) struct PowerTable<T: Role<R>, R: 'static>(PhantomData<(T, R)>);

impl<T: Role<R>, R: 'static> PowerTable<T, R> {
    const OPS: bindings::dev_pm_ops = bindings::dev_pm_ops {
        suspend: Some(Self::suspend),
        resume: Some(Self::resume),
        freeze: Some(Self::suspend),
        thaw: Some(Self::resume),
        poweroff: Some(Self::suspend),
        restore: Some(Self::resume),
        ..pin_init::zeroed()
    };

    /// The table, or null if the driver takes no part in system sleep.
    pub(super) const TABLE: *const bindings::dev_pm_ops = if T::HAS_PM {
        &Self::OPS
    } else {
        core::ptr::null()
    };

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn suspend(dev: *mut bindings::device) -> c_int {
        // SAFETY: The driver core calls this for a device whose driver has this table. So the
        // device is bound to the adapter of `T`, or was until it was shut down. The driver core
        // holds the device's lock, which a probe holds too (L20).
        unsafe { Self::call(dev, T::pm_suspend) }
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn resume(dev: *mut bindings::device) -> c_int {
        // SAFETY: As above (L20).
        unsafe { Self::call(dev, T::pm_resume) }
    }

    /// # Safety
    ///
    /// `dev` is bound to the adapter of `T`. The driver core called one of the callbacks above, for
    /// which it holds the lock of `dev` (for late and noirq callbacks it would not) (L20).
    unsafe fn call(dev: *mut bindings::device, f: impl FnOnce(&T::Live<'_>) -> Result) -> c_int {
        // SAFETY: `dev` is valid for the callback (L20).
        let dev = unsafe { Device::<CoreInternal<'_>>::from_raw(dev) };

        from_result(|| {
            // SAFETY: By the requirements, the adapter has stored its binding, and no other code
            // uses it (L20).
            unsafe { Binding::<T, R>::with(dev, f) }.unwrap_or(Ok(()))?;
            Ok(0)
        })
    }
}
