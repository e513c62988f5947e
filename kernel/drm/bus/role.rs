// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What a driver makes of a device that it is given: a DRM device, or the parent of other devices.
//!
//! A bus's driver trait has its role as a parameter, and what differs between the roles is here: what probe
//! returns, and what the adapter does with it until the remove step.
//!
//! Source: Documentation/driver-api/driver-model/binding.rst.

use super::{
    parent,
    Owned, //
};
use crate::{
    module::ModuleRuntime,
    registration::Registration,
    Driver,
    Ready, //
};
use kernel::prelude::*;

/// The role of a [`drm::Driver`](crate::Driver): the device becomes a DRM device.
pub enum Drm {}

/// The role of a [`drm::parent::Driver`](parent::Driver): the device has children, which other drivers serve.
pub enum Parent {}

/// A driver in the role `R`. Implemented for what a driver implements already; nobody else can name it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a driver in the role `{R}`",
    label = "the bus's `Driver` is that of a driver in the role `{R}`",
    note = "implement `drm::Driver` and the bus's `Driver`; or, for one that makes no DRM device, `drm::parent::Driver` and the bus's `Driver<drm::bus::Parent>`"
)]
pub trait Role<R: 'static>: Sized + 'static {
    /// The driver's module.
    type OwnerModule: ModuleRuntime;

    /// What the driver is called on its bus.
    const NAME: &'static CStr;

    /// Whether it has hardware to bring to rest before the machine goes off.
    const RESTS_AT_SHUTDOWN: bool;

    /// Whether it has a part in system sleep.
    const SLEEPS: bool;

    /// What probe returns.
    type Ready<'bound>;

    /// What the adapter keeps; dropping it is the remove step, in whatever thread that is.
    type Live<'bound>: Send;

    /// Makes one of the other, which is what follows a successful probe. `owned` is what the probe has asked for.
    fn go_live<'bound>(
        ready: Self::Ready<'bound>,
        owned: Owned<'bound>,
    ) -> Result<Self::Live<'bound>>;

    /// The system is about to sleep.
    fn fall_asleep(live: &Self::Live<'_>) -> Result;

    /// The system woke up.
    fn wake_up(live: &Self::Live<'_>) -> Result;
}

/// Whether C can take `name` for a driver, a device or an interrupt.
///
/// Such names become files in sysfs or /proc, where C warns of slashes, of no name, and of `.` and `..`; it reads some only up to
/// a newline; and people have to type them.
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
    const RESTS_AT_SHUTDOWN: bool = T::HAS_UNPLUGGED;
    const SLEEPS: bool = T::HAS_SUSPEND || T::HAS_RESUME;
    type Ready<'bound> = Ready<'bound, T>;
    type Live<'bound> = Registration<'bound, T>;

    fn go_live<'bound>(
        ready: Ready<'bound, T>,
        owned: Owned<'bound>,
    ) -> Result<Registration<'bound, T>> {
        Registration::new(ready, owned)
    }

    fn fall_asleep(live: &Registration<'_, T>) -> Result {
        let suspended = live
            .device()
            .enter(|plugged| plugged.registration(|data| T::suspend(&plugged, data)));
        suspended.unwrap_or(Ok(()))
    }

    fn wake_up(live: &Registration<'_, T>) -> Result {
        let resumed = live
            .device()
            .enter(|plugged| plugged.registration(|data| T::resume(&plugged, data)));
        resumed.unwrap_or(Ok(()))
    }
}

impl<T: parent::Driver> Role<Parent> for T {
    type OwnerModule = T::OwnerModule;
    const NAME: &'static CStr = T::NAME;
    const RESTS_AT_SHUTDOWN: bool = T::HAS_UNPLUGGED;
    const SLEEPS: bool = T::HAS_SUSPEND || T::HAS_RESUME;
    type Ready<'bound> = Pin<KBox<T::Data<'bound>>>;
    type Live<'bound> = parent::Live<'bound, T>;

    fn go_live<'bound>(
        data: Pin<KBox<T::Data<'bound>>>,
        owned: Owned<'bound>,
    ) -> Result<parent::Live<'bound, T>> {
        Ok(parent::Live::new(data, owned))
    }

    fn fall_asleep(live: &parent::Live<'_, T>) -> Result {
        T::suspend(live.data())
    }

    fn wake_up(live: &parent::Live<'_, T>) -> Result {
        T::resume(live.data())
    }
}
