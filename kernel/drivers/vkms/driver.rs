// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's type, its probe and its buffers.

use crate::{
    capture,
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
    type File = drm::Plain<Self>;
    type Object = gem::shmem::Object<Buffer>;
    type Kms = kms::Kms;

    const INFO: drm::DriverInfo = drm::DriverInfo::new(c"vkms", c"Virtual Kernel Mode Setting");
    const FEATURES: drm::Features = drm::Features::GEM;

    drm::ioctls! {
        uapi::DRM_IOCTL_VKMS_SCREEN: uapi::drm_vkms_screen, ROOT_ONLY => capture::screen;
    }
}

impl kms::Driver for Vkms {
    type Plane = Layer;
    type Crtc = Screen;
    type Connector = Monitor;
    /// The outputs' CRTCs.
    type Objects = KVec<kms::Key<kms::Crtc<Screen>>>;

    const CONSOLE: kms::Console<Self> = kms::Console::shmem::<Buffer>();
}

impl drm::platform::Driver for Vkms {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?
            .init_kms(|setup| {
                let config = config::config()?;
                let screens = display::set_up(setup, &config)?;
                dev_info!(
                    cx,
                    "CRTCs: {}, planes: {}, before registration\n",
                    screens.len(),
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
