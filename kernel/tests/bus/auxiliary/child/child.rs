// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Test driver: a child on the auxiliary bus, which uses the data that its parent lends to it.

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
    auxiliary,
    device::Bound,
    dma::DmaMask,
    platform,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    types::CovariantForLt, //
};
use lent::{
    Buffer,
    Lent,
    NAME, //
};

drm::module_auxiliary_driver! {
    type: Child,
    name: "aux_child_rust",
    authors: ["The Drydock authors"],
    description: "Test driver: a child on the auxiliary bus",
    license: "Dual MIT/GPL",
}

struct Child;

/// The child's view of the parent's hardware.
struct Part<'bound> {
    id: u32,
    calls: Arc<Atomic<i32>>,
    parent: &'bound platform::Device<Bound>,
}

// The test only checks that the word beside the id arrives.
kernel::auxiliary_device_table!(
    DEVICES,
    <Child as drm::auxiliary::Driver>::IdInfo,
    [(
        auxiliary::DeviceId::new(c"aux_parent_rust", NAME),
        c"a part"
    )]
);

impl drm::auxiliary::Driver for Child {
    type IdInfo = &'static CStr;

    const ID_TABLE: drm::auxiliary::IdTable<&'static CStr> = drm::auxiliary::IdTable::new(&DEVICES);

    fn probe<'bound>(
        cx: &drm::auxiliary::Probe<'bound>,
        id: Option<&'bound &'static CStr>,
    ) -> Result<drm::Ready<'bound, Self>> {
        // Another type than the parent's must be refused.
        if cx.parent_data::<CovariantForLt!(u32)>().err() != Some(EINVAL) || id != Some(&c"a part")
        {
            return Err(ENXIO);
        }
        // The parent does the DMA.
        if cx.set_dma_mask(DmaMask::new::<32>()) != Err(EIO)
            || cx.set_max_segment(1 << 20) != Err(EIO)
        {
            return Err(EINVAL);
        }
        let (calls, parent) = cx.parent_data::<Lent>()?;
        dev_info!(
            cx,
            "{} of {}\n",
            id.copied().unwrap_or(c"?"),
            cx.device().parent().name()
        );

        let dev = drm::UnregisteredDevice::<Self>::new(cx, Ok(Atomic::new(0)))?;
        dev.ready(Ok(Part {
            id: cx.id(),
            calls: calls.clone(),
            parent,
        }))
    }
}

#[vtable]
impl drm::Driver for Child {
    /// The number of times that the device resumed.
    type Data = Atomic<i32>;
    type RegistrationData<'bound> = Part<'bound>;
    type File = Client;
    type Object = gem::shmem::Object<Buffer<Self>>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 1,
        minor: 0,
        patchlevel: 0,
        name: c"aux_child",
        desc: c"A child on the auxiliary bus",
    };
    const FEATURES: drm::Features = drm::Features::GEM;

    drm::ioctls! {
        uapi::DRM_IOCTL_AUX_INFO: uapi::aux_drm_info, NONE => Client::info;
    }

    fn unplugged(dev: &Device<Self, Registered>, part: &Part<'_>) {
        let parent: &kernel::device::Device<Bound> = part.parent.as_ref();
        dev_info!(
            dev,
            "child {} at rest, its parent {} is there\n",
            part.id,
            parent.name()
        );
    }

    fn resume(dev: &Plugged<'_, Self>, _part: &Part<'_>) -> Result {
        dev.add(1, Relaxed);
        Ok(())
    }
}

struct Client;

#[vtable]
impl drm::DriverFile for Client {
    type Driver = Child;

    fn open(_dev: &Device<Child, Registered>) -> impl PinInit<Self, Error> {
        Ok(Self)
    }
}

impl Client {
    fn info(
        dev: &Plugged<'_, Child>,
        part: &Part<'_>,
        info: &mut uapi::aux_drm_info,
        _file: &File<Self>,
    ) -> Result {
        // The parent does the DMA, because the child cannot.
        let buffer = gem::shmem::Object::<Buffer<Child>>::new(dev, gem::Size::PAGE, ())?;
        if buffer.sg_table(dev).err() != Some(EIO) {
            return Err(EINVAL);
        }

        info.id = part.id;
        info.calls = part.calls.fetch_add(1, Relaxed) as u32 + 1;
        info.resumed = dev.load(Relaxed) as u32;
        Ok(())
    }
}
