// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver whose ioctls do nothing: what the layer costs, against `noop_c.c` (`./drydock bench`).

#![forbid(unsafe_code)]

use drm::gem;
use kernel::prelude::*;

#[allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    non_camel_case_types,
    clippy::all,
    reason = "generated"
)]
mod uapi {
    use kernel::prelude::*;

    include!(env!("DRIVER_UAPI"));
}

struct Noop;

#[vtable]
impl drm::Driver for Noop {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = Client;
    type Object = gem::shmem::Object<Buffer>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 1,
        minor: 0,
        patchlevel: 0,
        name: c"noop_rust",
        desc: c"Does nothing, in Rust",
    };
    const FEATURES: drm::Features = drm::Features::GEM.render();

    drm::ioctls! {
        uapi::DRM_IOCTL_NOOP_UNGUARDED: uapi::drm_noop, RENDER_ALLOW => Client::unguarded;
        uapi::DRM_IOCTL_NOOP_GUARDED: uapi::drm_noop, RENDER_ALLOW => Client::guarded;
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

struct Client;

#[vtable]
impl drm::DriverFile for Client {
    type Driver = Noop;

    fn open(_dev: &drm::Device<Noop, drm::Registered>) -> impl PinInit<Self, Error> {
        Ok(Self)
    }
}

impl Client {
    fn unguarded(
        _dev: &drm::Device<Noop, drm::Registered>,
        _arg: &uapi::drm_noop,
        _file: &drm::File<Self>,
    ) -> Result {
        Ok(())
    }

    fn guarded(
        _dev: &drm::Plugged<'_, Noop>,
        _data: &(),
        _arg: &uapi::drm_noop,
        _file: &drm::File<Self>,
    ) -> Result {
        Ok(())
    }
}

struct Buffer;

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = Noop;
    type Args = ();

    fn new(_: &drm::Device<Noop>, _: gem::Size, _args: ()) -> impl PinInit<Self, Error> {
        Ok(Self)
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
