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
    type File = drm::Plain<Self>;
    type Object = gem::shmem::Object<drm::Plain<Self>>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo =
        drm::DriverInfo::new(c"lifecycle_accel", c"Test driver of the accel node");
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

drm::module_platform_driver! {
    virtual_device: c"lifecycle_accel",
    type: Accelerator,
    name: "lifecycle_accel",
    authors: ["The Drydock authors"],
    description: "Test driver of the accel node",
    license: "Dual MIT/GPL",
}
