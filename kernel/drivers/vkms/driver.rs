// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's type, its probe and its buffers.

use crate::{
    config,
    display::{
        self,
        Layer,
        Monitor,
        Screen, //
    },
};
use drm::{
    gem,
    kms,
    Device,
    Plugged,
    Registered, //
};
use kernel::prelude::*;

pub(crate) struct Vkms;

#[vtable]
impl drm::Driver for Vkms {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = drm::Plain<Self>;
    type Object = gem::shmem::Object<Buffer>;
    type Kms = kms::Kms;

    const INFO: drm::DriverInfo = drm::DriverInfo::new(c"vkms", c"Virtual Kernel Mode Setting");
    const FEATURES: drm::Features = drm::Features::GEM;
    const IOCTLS: drm::ioctl::Table<Self> = drm::ioctl::Table::empty();
}

impl kms::Driver for Vkms {
    type Plane = Layer;
    type Crtc = Screen;
    type Connector = Monitor;
    type Objects = ();

    const CONSOLE: kms::Console<Self> = kms::Console::shmem::<Buffer>();
}

impl drm::platform::Driver for Vkms {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?
            .init_kms(|setup| display::set_up(setup, &config::config()?))?
            .ready(Ok(()))
    }
}

/// A buffer, which is only memory.
pub(crate) struct Buffer;

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = Vkms;
    type Args = ();

    fn new(_dev: &Device<Vkms>, _size: gem::Size, _args: ()) -> impl PinInit<Self, Error> {
        Ok(Self)
    }

    fn dumb(_dev: &Device<Vkms, Registered>, _size: gem::Size) -> Result {
        Ok(())
    }

    fn import(_dev: &Plugged<'_, Vkms>, _size: gem::Size) -> Result {
        Ok(())
    }
}
