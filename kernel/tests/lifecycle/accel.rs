// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A compute accelerator: an accel node instead of the DRM nodes.

#![forbid(unsafe_code)]

use drm::gem;
use kernel::prelude::*;

struct Accelerator;

#[vtable]
impl drm::Driver for Accelerator {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = Client;
    type Object = gem::shmem::Object<Buffer>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 1,
        minor: 0,
        patchlevel: 0,
        name: c"lifecycle_accel",
        desc: c"Test driver of the accel node",
    };
    const FEATURES: drm::Features = drm::Features::GEM.accel();
    const IOCTLS: drm::ioctl::Table<Self> = drm::ioctl::Table::empty();
}

impl drm::platform::Driver for Accelerator {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(()))
    }
}

struct Client;

#[vtable]
impl drm::DriverFile for Client {
    type Driver = Accelerator;

    fn open(_dev: &drm::Device<Accelerator, drm::Registered>) -> impl PinInit<Self, Error> {
        Ok(Self)
    }
}

struct Buffer;

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = Accelerator;
    type Args = ();

    fn new(_: &drm::Device<Accelerator>, _: gem::Size, _args: ()) -> impl PinInit<Self, Error> {
        Ok(Self)
    }

    fn dumb(_: &drm::Device<Accelerator, drm::Registered>, _: gem::Size) -> Result {
        Ok(())
    }
}

drm::module_platform_driver! {
    virtual_device: c"lifecycle_accel",
    type: Accelerator,
    name: "lifecycle_accel",
    authors: ["The Drydock authors"],
    description: "Test driver of the accel node",
    license: "Dual MIT/GPL",
}
