// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Files and buffers to which a driver adds nothing of its own.

use crate::{
    gem::{
        self,
        shmem,
        DriverObject, //
    },
    Device,
    Driver,
    DriverFile,
    Registered, //
};
use core::marker::PhantomData;
use kernel::prelude::*;

/// A file or buffer to which driver `T` adds no data.
///
/// Use it as [`Driver::File`], as the payload of a shmem-backed [`Driver::Object`], or as both.
///
/// Such buffers can be dumb buffers. Buffers of other devices cannot be imported, because
/// [`import`](DriverObject::import) keeps its default.
///
/// # Examples
///
/// ```
/// struct Draw;
///
/// #[vtable]
/// impl drm::Driver for Draw {
///     type Data = ();
///     type RegistrationData<'bound> = ();
///     type File = drm::Plain<Self>;
///     type Object = gem::shmem::Object<drm::Plain<Self>>;
///     type Kms = drm::NoKms;
///     const INFO: drm::DriverInfo = drm::DriverInfo::new(c"draw", c"Draws");
///     const FEATURES: drm::Features = drm::Features::GEM;
///     drm::ioctls! {}
/// }
/// ```
// Invariant in `T`: like a driver's own types, it belongs to that driver only (L9).
pub struct Plain<T>(PhantomData<fn(T) -> T>);

#[vtable]
impl<T: Driver<File = Self>> DriverFile for Plain<T> {
    type OwnerModule = T::OwnerModule;
    type Driver = T;

    fn open(_: &Device<T, Registered>) -> impl PinInit<Self, Error> {
        Ok::<_, Error>(Self(PhantomData))
    }
}

#[vtable]
impl<T: Driver<Object = shmem::Object<Self>>> DriverObject for Plain<T> {
    type OwnerModule = T::OwnerModule;
    type Driver = T;
    type Args = ();

    fn new(_: &Device<T>, _: gem::Size, (): ()) -> impl PinInit<Self, Error> {
        Ok::<_, Error>(Self(PhantomData))
    }

    fn dumb(_: &Device<T, Registered>, _: gem::Size) -> Result {
        Ok(())
    }
}
