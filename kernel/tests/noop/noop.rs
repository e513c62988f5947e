// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver whose ioctls do nothing, to measure the layer's cost against `noop_c.c`
//! (`./drydock bench`).

#![forbid(unsafe_code)]

use drm::gem;
use kernel::prelude::*;

#[path = "../uapi.rs"]
mod uapi;

struct Noop;

#[vtable]
impl drm::Driver for Noop {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = drm::Plain<Self>;
    type Object = gem::shmem::Object<drm::Plain<Self>>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = drm::DriverInfo::new(c"noop_rust", c"Does nothing, in Rust");
    const FEATURES: drm::Features = drm::Features::GEM.render();

    drm::ioctls! {
        uapi::DRM_IOCTL_NOOP_UNGUARDED: uapi::drm_noop, RENDER_ALLOW => Noop::unguarded;
        uapi::DRM_IOCTL_NOOP_GUARDED: uapi::drm_noop, RENDER_ALLOW => Noop::guarded;
    }
}

impl drm::platform::Driver for Noop {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(()))
    }
}

impl Noop {
    fn unguarded(
        _dev: &drm::Device<Noop, drm::Registered>,
        _arg: &uapi::drm_noop,
        _file: &drm::File<drm::Plain<Noop>>,
    ) -> Result {
        Ok(())
    }

    fn guarded(
        _dev: &drm::Plugged<'_, Noop>,
        _data: &(),
        _arg: &uapi::drm_noop,
        _file: &drm::File<drm::Plain<Noop>>,
    ) -> Result {
        Ok(())
    }
}

drm::module_platform_driver! {
    virtual_device: c"noop_rust",
    type: Noop,
    name: "noop_rust",
    authors: ["The Drydock authors"],
    description: "Does nothing, in Rust",
    license: "Dual MIT/GPL",
}
