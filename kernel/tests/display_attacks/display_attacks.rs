// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver that tries to break mode setting with safe code: the attacks of docs/explain/attacks.md.
//!
//! A test requests an attack by ioctl. Hooks log their answers to the kernel log.

#![forbid(unsafe_code)]

mod client;
mod counted;
mod edid;
mod objects;
mod pixels;
mod setups;
mod trap;
#[path = "../uapi.rs"]
mod uapi;

use crate::{
    client::Client,
    objects::{
        Layer,
        Monitor,
        Objects,
        Screen, //
    }, //
};
use drm::{
    gem,
    kms,
    Device,
    Plugged,
    Registered,
    UnregisteredDevice, //
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

drm::module_platform_driver! {
    virtual_device: c"display_attacks",
    type: Attacked,
    name: "display_attacks",
    authors: ["The Drydock authors"],
    description: "Attacks on mode setting by safe code",
    license: "Dual MIT/GPL",
}

pub(crate) struct Attacked;

/// The data of a device. What is dropped after it is only the crate's.
pub(crate) struct Last {
    says: bool,
}

impl Drop for Last {
    fn drop(&mut self) {
        if self.says {
            pr_info!("left: {}\n", counted::left());
        }
    }
}

pub(crate) type Buffer = drm::Plain<Attacked>;

#[vtable]
impl drm::Driver for Attacked {
    type Data = Last;
    type RegistrationData<'bound> = ();
    type File = Client;
    type Object = gem::shmem::Object<Buffer>;
    type Kms = kms::Kms;

    const INFO: drm::DriverInfo =
        drm::DriverInfo::new(c"display_attacks", c"Attacks on mode setting by safe code");
    const FEATURES: drm::Features = drm::Features::GEM;

    drm::ioctls! {
        uapi::DRM_IOCTL_DISPLAY_ATTACK: uapi::drm_display_attack, NONE => Client::attack;
    }

    fn suspend(dev: &Plugged<'_, Self>, _data: &()) -> Result {
        trap::with_device(trap::SUSPEND, dev.device());
        Ok(())
    }

    fn resume(dev: &Plugged<'_, Self>, _data: &()) -> Result {
        trap::with_device(trap::RESUME, dev.device());
        objects::FLIPS_NOW.store(1, Relaxed);
        Ok(())
    }

    fn unplugged(dev: &Device<Self, Registered>, _data: &()) {
        trap::with_device(trap::UNPLUGGED, dev);
        pr_info!("unplugged, {}\n", counted::switched());
    }
}

impl kms::Driver for Attacked {
    type Plane = Layer;
    type Crtc = Screen;
    type Connector = Monitor;
    type Objects = Objects;

    const PLANES_LAST: bool = true;
}

impl drm::platform::Driver for Attacked {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        let new = |says| UnregisteredDevice::<Self>::new(cx, Ok(Last { says }));
        setups::try_wrong(&|| new(false))?;
        // The keys of a device that is gone when they are used.
        let gone = new(false)?.init_kms(|setup| objects::set_up(setup, None))?;
        let foreign = gone.objects().keys;
        drop(gone);

        new(true)?
            .init_kms(|setup| objects::set_up(setup, Some(foreign)))?
            .ready(Ok(()))
    }
}
