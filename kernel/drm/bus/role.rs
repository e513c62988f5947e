// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The roles of drivers: the driver makes a DRM device of its device, or makes it the parent of
//! others.
//!
//! The driver trait of a bus has the role as a parameter. This module defines what differs between
//! the roles: what probe returns, and what the adapter does with the result until the remove step.
//!
//! Source: Documentation/driver-api/driver-model/binding.rst.

use super::parent;
use crate::{
    kms,
    module::ModuleRuntime,
    owned::Owned,
    registration::Registration,
    Driver,
    Ready, //
};
use kernel::prelude::*;

/// The role of a [`drm::Driver`](crate::Driver), which makes a DRM device.
pub enum Drm {}

/// The role of a [`drm::parent::Driver`](parent::Driver), whose device has children that other
/// drivers serve.
pub enum Parent {}

/// A driver in the role `R`. The crate implements it for drivers, and no other code can name it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a driver in the role `{R}`",
    label = "the bus's `Driver` is that of a driver in the role `{R}`",
    note = "implement `drm::Driver` and the bus's `Driver`; or, for one that makes no DRM device, `drm::parent::Driver` and the bus's `Driver<drm::bus::Parent>`"
)]
pub trait Role<R: 'static>: Sized + 'static {
    /// The driver's module.
    type OwnerModule: ModuleRuntime;

    /// The driver's name on its bus.
    const NAME: &'static CStr;

    /// Whether the driver has hardware to bring to rest before the machine powers off.
    const HAS_SHUTDOWN: bool;

    /// Whether the driver takes part in system sleep.
    const HAS_PM: bool;

    /// The type that probe returns.
    type Ready<'bound>;

    /// The type that the adapter keeps. Dropping it, in any thread, is the remove step.
    type Live<'bound>: Send;

    /// Converts the result of a successful probe into its live form. `owned` holds the resources
    /// that the probe requested.
    fn into_live<'bound>(
        ready: Self::Ready<'bound>,
        owned: Owned<'bound>,
    ) -> Result<Self::Live<'bound>>;

    /// Suspends the hardware before the system sleeps.
    fn pm_suspend(live: &Self::Live<'_>) -> Result;

    /// Resumes the hardware after the system wakes up.
    fn pm_resume(live: &Self::Live<'_>) -> Result;
}

/// Returns whether C accepts `name` for a driver, a device or an interrupt.
///
/// Such names become files in sysfs or /proc. C warns about slashes, empty names, `.` and `..`
/// there, and reads some names only up to a newline. Users must also be able to type them.
pub(super) const fn is_name(name: &CStr) -> bool {
    let bytes = name.to_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] <= b' ' || bytes[i] >= 0x7f || bytes[i] == b'/' {
            return false;
        }
        i += 1;
    }
    !bytes.is_empty() && bytes.len() <= 255 && !matches!(bytes, b"." | b"..")
}

/// Returns the name of the driver `T` on its bus, which the compiler checks.
pub(super) const fn bus_name<T: Role<R>, R: 'static>() -> &'static CStr {
    const {
        assert!(
            is_name(T::NAME),
            "a driver's name on its bus is made of 1 to 255 printable ASCII characters without spaces and slashes"
        );
        T::NAME
    }
}

impl<T: Driver> Role<Drm> for T {
    type OwnerModule = T::OwnerModule;
    const NAME: &'static CStr = T::BUS_NAME;
    const HAS_SHUTDOWN: bool = T::HAS_UNPLUGGED || <T::Kms as kms::Kind<T>>::OPS.has_displays;
    const HAS_PM: bool =
        T::HAS_SUSPEND || T::HAS_RESUME || <T::Kms as kms::Kind<T>>::OPS.has_displays;
    type Ready<'bound> = Ready<'bound, T>;
    type Live<'bound> = Registration<'bound, T>;

    fn into_live<'bound>(
        ready: Ready<'bound, T>,
        owned: Owned<'bound>,
    ) -> Result<Registration<'bound, T>> {
        Registration::new(ready, owned)
    }

    fn pm_suspend(live: &Registration<'_, T>) -> Result {
        let displays = <T::Kms as kms::Kind<T>>::OPS;
        // Displays go off while the hardware is awake.
        (displays.suspend)(live.device())?;
        let suspended = live
            .device()
            .enter(|plugged| plugged.registration(|data| T::suspend(&plugged, data)));
        suspended.unwrap_or(Ok(())).inspect_err(|_| {
            // The system stays awake. An error is logged where it happens.
            let _ = (displays.resume)(live.device());
        })
    }

    fn pm_resume(live: &Registration<'_, T>) -> Result {
        let resumed = live
            .device()
            .enter(|plugged| plugged.registration(|data| T::resume(&plugged, data)));
        // Clients are awake in any case, and go on to use the displays.
        let shown = (<T::Kms as kms::Kind<T>>::OPS.resume)(live.device());
        resumed.unwrap_or(Ok(())).and(shown)
    }
}

impl<T: parent::Driver> Role<Parent> for T {
    type OwnerModule = T::OwnerModule;
    const NAME: &'static CStr = T::NAME;
    const HAS_SHUTDOWN: bool = T::HAS_UNPLUGGED;
    const HAS_PM: bool = T::HAS_SUSPEND || T::HAS_RESUME;
    type Ready<'bound> = Pin<KBox<T::Data<'bound>>>;
    type Live<'bound> = parent::Live<'bound, T>;

    fn into_live<'bound>(
        data: Pin<KBox<T::Data<'bound>>>,
        owned: Owned<'bound>,
    ) -> Result<parent::Live<'bound, T>> {
        Ok(parent::Live::new(data, owned))
    }

    fn pm_suspend(live: &parent::Live<'_, T>) -> Result {
        T::suspend(live.data())
    }

    fn pm_resume(live: &parent::Live<'_, T>) -> Result {
        T::resume(live.data())
    }
}
