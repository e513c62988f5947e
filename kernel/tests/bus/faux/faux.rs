// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Test driver: a DRM device without hardware, on the faux bus.

#![forbid(unsafe_code)]

use drm::{
    gem,
    Device,
    Plugged,
    Registered, //
};
use kernel::{
    module::this_module,
    prelude::*, //
};

drm::module_faux_driver! {
    type: Faux,
    name: "faux_rust",
    authors: ["The Drydock authors"],
    description: "Test driver: a DRM device on the faux bus",
    license: "Dual MIT/GPL",
}

struct Faux;

impl drm::faux::Driver for Faux {
    fn probe<'bound>(cx: &drm::faux::Probe<'bound>) -> Result<drm::Ready<'bound, Self>> {
        let dev = drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?;
        dev.ready(Ok(()))
    }
}

#[vtable]
impl drm::Driver for Faux {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = Client;
    type Object = gem::shmem::Object<Buffer>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 1,
        minor: 0,
        patchlevel: 0,
        name: c"faux_rust",
        desc: c"A DRM device on the faux bus",
    };
    const FEATURES: drm::Features = drm::Features::GEM.render();
    const IOCTLS: drm::ioctl::Table<Self> = drm::ioctl::Table::empty();

    fn unplugged(dev: &Device<Self, Registered>, _data: &()) {
        dev_info!(dev, "at rest\n");
    }
}

struct Client;

#[vtable]
impl drm::DriverFile for Client {
    type Driver = Faux;

    /// Fails with `EIO` unless a second device of the module is refused with `EBUSY`.
    fn open(_dev: &Device<Faux, Registered>) -> impl PinInit<Self, Error> {
        let again =
            drm::faux::Registration::<Faux>::new(c"faux_rust", this_module::<LocalModule>());
        match again {
            Err(error) if error == EBUSY => Ok(Self),
            _ => Err(EIO),
        }
    }
}

struct Buffer;

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = Faux;
    type Args = ();

    fn new(_dev: &Device<Faux>, _size: gem::Size, _args: ()) -> impl PinInit<Self, Error> {
        Ok(Self)
    }

    fn dumb(_dev: &Device<Faux, Registered>, _size: gem::Size) -> Result {
        Ok(())
    }

    fn import(_dev: &Plugged<'_, Faux>, _size: gem::Size) -> Result {
        Ok(())
    }
}
