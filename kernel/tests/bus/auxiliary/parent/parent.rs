// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Test driver: a platform device that creates two children on the auxiliary bus.

#![forbid(unsafe_code)]

#[path = "../lent.rs"]
mod lent;
mod uapi;

use drm::{
    gem,
    Device,
    File,
    Plugged,
    Registered, //
};
use kernel::{
    dma::DmaMask,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};
use lent::{
    Buffer,
    Lent,
    NAME, //
};

drm::module_platform_driver! {
    virtual_device: c"aux_parent",
    type: Parent,
    name: "aux_parent_rust",
    authors: ["The Drydock authors"],
    description: "Test driver: a parent on the auxiliary bus",
    license: "Dual MIT/GPL",
}

struct Parent;

impl drm::platform::Driver for Parent {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        let calls = Arc::new(Atomic::new(0), GFP_KERNEL)?;
        let dev = drm::UnregisteredDevice::<Self>::new(cx, Ok(Atomic::new(0)))?;

        cx.set_dma_mask(DmaMask::new::<48>())?;
        for id in 0..2 {
            cx.add_auxiliary::<crate::LocalModule, Lent>(
                NAME,
                id,
                Ok((calls.clone(), cx.device())),
            )?;
        }
        // A child's driver may already map memory.
        if cx.set_dma_mask(DmaMask::new::<64>()) != Err(EBUSY) {
            return Err(EINVAL);
        }
        dev.ready(Ok(calls))
    }
}

#[vtable]
impl drm::Driver for Parent {
    /// The number of times that the device resumed.
    type Data = Atomic<i32>;
    type RegistrationData<'bound> = Arc<Atomic<i32>>;
    type File = Client;
    type Object = gem::shmem::Object<Buffer<Self>>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 1,
        minor: 0,
        patchlevel: 0,
        name: c"aux_parent",
        desc: c"A parent on the auxiliary bus",
    };
    const FEATURES: drm::Features = drm::Features::GEM;

    drm::ioctls! {
        uapi::DRM_IOCTL_AUX_INFO: uapi::aux_drm_info, NONE => Client::info;
    }

    fn unplugged(dev: &Device<Self, Registered>, calls: &Arc<Atomic<i32>>) {
        dev_info!(dev, "parent at rest after {} calls\n", calls.load(Relaxed));
    }

    fn resume(dev: &Plugged<'_, Self>, _calls: &Arc<Atomic<i32>>) -> Result {
        dev.add(1, Relaxed);
        Ok(())
    }
}

struct Client;

#[vtable]
impl drm::DriverFile for Client {
    type Driver = Parent;

    fn open(_dev: &Device<Parent, Registered>) -> impl PinInit<Self, Error> {
        Ok(Self)
    }
}

impl Client {
    fn info(
        dev: &Plugged<'_, Parent>,
        calls: &Arc<Atomic<i32>>,
        info: &mut uapi::aux_drm_info,
        _file: &File<Self>,
    ) -> Result {
        info.calls = calls.load(Relaxed) as u32;
        info.resumed = dev.load(Relaxed) as u32;
        Ok(())
    }
}
