// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver that declares mode setting and has no objects for it, to test the gate `init_kms` (L1).

#![forbid(unsafe_code)]

use drm::gem;
use kernel::prelude::*;

struct Gate;

#[vtable]
impl drm::Driver for Gate {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = drm::Plain<Self>;
    type Object = gem::shmem::Object<drm::Plain<Self>>;
    type Kms = drm::kms::Kms;

    const INFO: drm::DriverInfo =
        drm::DriverInfo::new(c"lifecycle_kms", c"Test driver of the gate of mode setting");
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

        // An object and a reference from before the gate stay valid after it.
        let scratch = gem::shmem::Object::<drm::Plain<Self>>::new(&dev, gem::Size::PAGE, ())?;
        let dev = dev.init_kms(|setup| {
            dev_info!(cx, "inside the gate of mode setting\n");
            setup.framebuffer_limits((16, 16), (4096, 2048))
        })?;
        drop(scratch);
        dev.ready(Ok(()))
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
