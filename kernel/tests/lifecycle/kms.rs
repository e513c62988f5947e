// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver that declares mode setting and has no objects for it: the gate `init_kms` (L1).

#![forbid(unsafe_code)]

use drm::gem;
use kernel::prelude::*;

struct Gate;

#[vtable]
impl drm::Driver for Gate {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = Client;
    type Object = gem::shmem::Object<Buffer>;
    type Kms = drm::kms::Kms;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 1,
        minor: 0,
        patchlevel: 0,
        name: c"lifecycle_kms",
        desc: c"Test driver of the gate of mode setting",
    };
    const FEATURES: drm::Features = drm::Features::GEM;
    const IOCTLS: drm::ioctl::Table<Self> = drm::ioctl::Table::empty();
}

impl drm::platform::Driver for Gate {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        let dev = drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?;

        // An object and a reference from before the gate stay good beyond it.
        let scratch = gem::shmem::Object::<Buffer>::new(&dev, gem::Size::PAGE, ())?;
        let dev = dev.init_kms(|setup| {
            dev_info!(cx, "inside the gate of mode setting\n");
            setup.framebuffer_limits((16, 16), (4096, 2048))
        })?;
        drop(scratch);
        dev.ready(Ok(()))
    }
}

struct Client;

#[vtable]
impl drm::DriverFile for Client {
    type Driver = Gate;

    fn open(_dev: &drm::Device<Gate, drm::Registered>) -> impl PinInit<Self, Error> {
        Ok(Self)
    }
}

struct Buffer;

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = Gate;
    type Args = ();

    fn new(_: &drm::Device<Gate>, _: gem::Size, _args: ()) -> impl PinInit<Self, Error> {
        Ok(Self)
    }

    fn dumb(_: &drm::Device<Gate, drm::Registered>, _: gem::Size) -> Result {
        Ok(())
    }
}

drm::module_platform_driver! {
    virtual_device: c"lifecycle_kms",
    type: Gate,
    name: "lifecycle_kms",
    authors: ["The Drydock authors"],
    description: "Test driver of the gate of mode setting",
    license: "Dual MIT/GPL",
}
