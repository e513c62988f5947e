// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Names of static objects.

use super::{
    Connector,
    Crtc,
    Driver,
    DriverConnector,
    DriverCrtc,
    DriverPlane,
    Encoder,
    Plane, //
};
use crate::{
    Device,
    Init, //
};
use core::{
    ptr::NonNull,
    sync::atomic::{
        AtomicU64,
        Ordering, //
    }, //
};
use kernel::prelude::*;

mod private {
    pub trait Sealed {}
}

/// A static object of a driver: a plane, a CRTC, an encoder or a connector. Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a static object",
    label = "not an object",
    note = "an object is a `Plane<_>`, `Crtc<_>`, `Encoder<_>` or `Connector<_>` with the driver's type in it"
)]
pub trait Object: private::Sealed {
    /// The driver that the object belongs to.
    type Driver: Driver;
}

impl<P: DriverPlane> private::Sealed for Plane<P> {}
impl<P: DriverPlane> Object for Plane<P> {
    type Driver = P::Driver;
}

impl<C: DriverCrtc> private::Sealed for Crtc<C> {}
impl<C: DriverCrtc> Object for Crtc<C> {
    type Driver = C::Driver;
}

impl<T: Driver> private::Sealed for Encoder<T> {}
impl<T: Driver> Object for Encoder<T> {
    type Driver = T;
}

impl<N: DriverConnector> private::Sealed for Connector<N> {}
impl<N: DriverConnector> Object for Connector<N> {
    type Driver = N::Driver;
}

/// The name of a static object. [`Setup`](super::Setup) returns it; [`Device::get`] returns the
/// object.
///
/// # Invariants
///
/// `object` is an object of the device with the number `device`, valid for as long as that device's
/// memory. No two devices have the same number, so a key that is older than a device names none of
/// its objects, also if the memory is used again.
///
/// # Examples
///
/// ```
/// struct Objects {
///     screen: Key<Crtc<Screen>>,
/// }
///
/// fn screen<'a>(dev: &'a Device<Display, Init>, objects: &Objects) -> Result<&'a Crtc<Screen>> {
///     dev.get(objects.screen)
/// }
/// ```
pub struct Key<O: Object> {
    object: NonNull<O>,
    device: u64,
}

/// The number of the next device with mode setting.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Returns a number that no other device has. Not inlined into drivers: there is one counter.
#[inline(never)]
pub(super) fn next_device() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl<O: Object> Clone for Key<O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O: Object> Copy for Key<O> {}

impl<O: Object> Key<O> {
    /// # Safety
    ///
    /// `object` is an object of `dev`, which frees it with its own memory (K4).
    pub(super) unsafe fn new(object: NonNull<O>, dev: &Device<O::Driver>) -> Self {
        // INVARIANT: By the requirement.
        Self {
            object,
            device: dev.core().kms.number,
        }
    }

    /// Returns the object, which must be one of `dev`.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` for an object of another device (K3).
    pub(super) fn of(self, dev: &Device<O::Driver>) -> Result<NonNull<O>> {
        if self.device == dev.core().kms.number {
            Ok(self.object)
        } else {
            Err(EINVAL)
        }
    }
}

impl<T: Driver> Device<T, Init> {
    /// Returns the static object that `key` names.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if it is an object of another device of the driver (K3).
    ///
    /// Context: any.
    pub fn get<O: Object<Driver = T>>(&self, key: Key<O>) -> Result<&O> {
        let object = key.of(self)?;
        // SAFETY: The object belongs to this device, which keeps it (type invariants) (K3, K4).
        Ok(unsafe { object.as_ref() })
    }
}

// SAFETY: A key gives no access without a reference to the device, and the objects are `Sync`
// (L15).
unsafe impl<O: Object> Send for Key<O> {}

// SAFETY: As for `Send` (L15).
unsafe impl<O: Object> Sync for Key<O> {}
