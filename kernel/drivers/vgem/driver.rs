// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's type and its probe.

use crate::{
    buffer::{
        Buffer,
        Object, //
    },
    client::Client,
    uapi, //
};
use drm::gem::{
    self,
    Class, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

pub(crate) struct Vgem;

/// The device's data while it is registered: a buffer created before userspace sees the device.
pub(crate) struct Hardware {
    _scratch: ARef<Object>,
}

#[vtable]
impl drm::Driver for Vgem {
    type Data = ();
    type RegistrationData<'bound> = Hardware;
    type File = Client;
    type Object = gem::shmem::Object<Buffer>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 1,
        minor: 0,
        patchlevel: 0,
        name: c"vgem",
        desc: c"Virtual GEM provider",
    };
    const FEATURES: drm::Features = drm::Features::GEM.render();

    // The fence ioctls are unguarded. Fences are memory, so they can be attached and signalled
    // after an unplug.
    drm::ioctls! {
        _;
        uapi::DRM_IOCTL_VGEM_FENCE_ATTACH: uapi::drm_vgem_fence_attach, RENDER_ALLOW => Client::fence_attach;
        uapi::DRM_IOCTL_VGEM_FENCE_SIGNAL: uapi::drm_vgem_fence_signal, RENDER_ALLOW => Client::fence_signal;
    }
}

impl drm::platform::Driver for Vgem {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        let dev = drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?;

        let scratch = Object::new(&dev, gem::Size::PAGE, ())?;
        dev_info!(
            cx,
            "a GEM object of {} bytes, before registration\n",
            scratch.size().bytes()
        );
        dev.ready(Ok(Hardware { _scratch: scratch }))
    }
}
