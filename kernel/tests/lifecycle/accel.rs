// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A compute accelerator: it has an accel node instead of the DRM nodes, and objects without memory
//! behind them.

#![forbid(unsafe_code)]

use drm::{
    gem::{
        self,
        Class, //
    },
    ioctl, //
};
use kernel::prelude::*;

/// An ioctl's argument, laid out like `struct drm_lifecycle` of the life-cycle test driver.
#[repr(C)]
#[derive(FromBytes, IntoBytes)]
struct Made {
    what: u32,
    handle: u32,
    value: u64,
}

const MAKE: u32 = ioctl::iowr::<Made>(0);

struct Accelerator;

#[vtable]
impl drm::Driver for Accelerator {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = drm::Plain<Self>;
    type Object = gem::Object<Buffer>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo =
        drm::DriverInfo::new(c"lifecycle_accel", c"Test driver of the accel node");
    const FEATURES: drm::Features = drm::Features::GEM.accel();

    drm::ioctls! { MAKE: Made, NONE => make; }
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

/// Creates an object of `value` bytes: `handle`. Fails with `EIO` if the object can be mapped into
/// the kernel.
fn make(
    dev: &drm::Device<Accelerator, drm::Registered>,
    arg: &mut Made,
    file: &drm::File<drm::Plain<Accelerator>>,
) -> Result {
    let object = gem::Object::<Buffer>::new(dev, gem::Size::exact(arg.value)?, ())?;
    if object.vmap().err() != Some(EOPNOTSUPP) {
        return Err(EIO);
    }
    arg.handle = object.create_handle(file)?;
    Ok(())
}

/// An empty payload. Unlike [`drm::Plain`] it offers no dumb buffers, which need memory.
struct Buffer;

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = Accelerator;
    type Args = ();

    fn new(_: &drm::Device<Accelerator>, _: gem::Size, _args: ()) -> impl PinInit<Self, Error> {
        Ok(Self)
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
