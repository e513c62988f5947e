// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's type, its probe and its buffers.

use crate::{
    capture,
    client::Client,
    config,
    display::{
        self,
        Layer,
        Monitor,
        Screen, //
    },
    uapi, //
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
    type File = Client;
    type Object = gem::shmem::Object<Buffer>;
    type Kms = kms::Kms;

    const INFO: drm::DriverInfo = drm::DriverInfo::new(c"vkms", c"Virtual Kernel Mode Setting");
    const FEATURES: drm::Features = drm::Features::GEM.render();

    drm::ioctls! {
        uapi::DRM_IOCTL_VKMS_SCREEN: uapi::drm_vkms_screen, ROOT_ONLY => capture::screen;
        uapi::DRM_IOCTL_VGEM_FENCE_ATTACH: uapi::drm_vgem_fence_attach, RENDER_ALLOW => Client::fence_attach;
        uapi::DRM_IOCTL_VGEM_FENCE_SIGNAL: uapi::drm_vgem_fence_signal, RENDER_ALLOW => Client::fence_signal;
    }

    /// `DRM_IOCTL_VKMS_SCREEN` alone.
    const IOCTLS_WITHOUT_RENDER_NODE: drm::ioctl::Table<Self> = Self::IOCTLS.first(1);
}

impl kms::Driver for Vkms {
    type Plane = Layer;
    type Crtc = Screen;
    type Connector = Monitor;
    type Objects = display::Outputs;

    const CONSOLE: kms::Console<Self> = kms::Console::shmem::<Buffer>();
}

impl drm::platform::Driver for Vkms {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        let config = config::config()?;
        let dev = if config.render_node {
            drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?
        } else {
            drm::UnregisteredDevice::<Self>::without_render_node(cx, Ok(()))?
        };
        dev.init_kms(|setup| {
            let screens = display::set_up(setup, &config)?;
            dev_info!(
                cx,
                "CRTCs: {}, planes: {}, before registration\n",
                config.outputs,
                config.planes()
            );
            Ok(screens)
        })?
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
