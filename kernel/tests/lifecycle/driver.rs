// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's type, its probe and its teardown.

use crate::{
    buffer::{
        Buffer,
        Object, //
    },
    client::Client,
    shared::{
        self,
        LogDrop, //
    },
    uapi, //
};
use drm::fence::Fence;
use drm::gem::{
    self,
    Class, //
};
use drm::resv::Usage;
use kernel::{
    device::{
        self,
        Bound, //
    },
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::ARef,
    time::{
        delay::fsleep,
        Delta, //
    },
};

pub(crate) struct Lifecycle;

/// The device's data from its allocation to its release. The fields are dropped in their order.
#[pin_data]
pub(crate) struct Data {
    pub(crate) id: u32,
    _first: LogDrop,
    _data: LogDrop,
}

impl Data {
    fn new(id: u32) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            id,
            _first: LogDrop(*id, c"first part of the data"),
            _data: {
                shared::may_fail(uapi::LIFECYCLE_FAIL_DATA)?;
                LogDrop(*id, c"data")
            },
        })
    }
}

/// The device's data while it is registered.
pub(crate) struct Hardware<'bound> {
    pub(crate) id: u32,
    pub(crate) serial: u32,
    pub(crate) early: ARef<Object>,
    parent: &'bound device::Device<Bound>,
}

impl<'bound> Hardware<'bound> {
    fn new(id: u32, early: ARef<Object>, parent: &'bound device::Device<Bound>) -> Result<Self> {
        shared::may_fail(uapi::LIFECYCLE_FAIL_REGISTRATION)?;
        Ok(Self {
            id,
            serial: shared::serial(),
            early,
            parent,
        })
    }
}

impl Drop for Hardware<'_> {
    fn drop(&mut self) {
        // The parent is still bound, so its name can be read.
        pr_info!(
            "{}: registration data dropped, of {}\n",
            self.id,
            self.parent.name()
        );
        if shared::LATE_WORK.take() {
            queue_late_work(self.early.device());
        }
    }
}

/// Queues work that teardown no longer flushes. It is slow enough that anything that does not wait
/// overtakes it.
fn queue_late_work(dev: &drm::Device<Lifecycle>) {
    let queued = dev.queue_work(|dev| {
        fsleep(Delta::from_millis(300));
        pr_info!(
            "{}: late work ends, entered: {}\n",
            dev.id,
            dev.enter(|_| ()).is_some()
        );
    });
    if queued.is_err() {
        pr_info!("late work cannot be queued\n");
    }
}

#[vtable]
impl drm::Driver for Lifecycle {
    type Data = Data;
    type RegistrationData<'bound> = Hardware<'bound>;
    type File = Client;
    type Object = gem::shmem::Object<Buffer>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 1,
        minor: 2,
        patchlevel: 3,
        name: c"lifecycle",
        desc: c"Life-cycle test driver",
    };
    const FEATURES: drm::Features = drm::Features::GEM.render();

    drm::ioctls! {
        uapi::DRM_IOCTL_LIFECYCLE_CONTROL: uapi::drm_lifecycle, RENDER_ALLOW => Client::control;
        uapi::DRM_IOCTL_LIFECYCLE_ENTER: uapi::drm_lifecycle, RENDER_ALLOW => Client::enter;
        uapi::DRM_IOCTL_LIFECYCLE_GUARDED: uapi::drm_lifecycle, RENDER_ALLOW => Client::guarded;
        uapi::DRM_IOCTL_LIFECYCLE_BLOCK: uapi::drm_lifecycle, RENDER_ALLOW => Client::block;
        uapi::DRM_IOCTL_LIFECYCLE_BLOCK_UNGUARDED: uapi::drm_lifecycle, RENDER_ALLOW => Client::block_unguarded;
        uapi::DRM_IOCTL_LIFECYCLE_OBJECT: uapi::drm_lifecycle, RENDER_ALLOW => Client::object;
        uapi::DRM_IOCTL_LIFECYCLE_INFO: uapi::drm_lifecycle, RENDER_ALLOW => Client::info;
        uapi::DRM_IOCTL_LIFECYCLE_EARLY: uapi::drm_lifecycle, RENDER_ALLOW => Client::early;
        uapi::DRM_IOCTL_LIFECYCLE_KEEP: uapi::drm_lifecycle, RENDER_ALLOW => Client::keep;
        uapi::DRM_IOCTL_LIFECYCLE_KEPT: uapi::drm_lifecycle, RENDER_ALLOW => Client::kept;
        uapi::DRM_IOCTL_LIFECYCLE_VMAP: uapi::drm_lifecycle, RENDER_ALLOW => Client::vmap;
        uapi::DRM_IOCTL_LIFECYCLE_DMA: uapi::drm_lifecycle, RENDER_ALLOW => Client::dma;
        uapi::DRM_IOCTL_LIFECYCLE_WORK: uapi::drm_lifecycle, RENDER_ALLOW => Client::work;
        uapi::DRM_IOCTL_LIFECYCLE_SYNCOBJ: uapi::drm_lifecycle, RENDER_ALLOW => Client::syncobj;
    }

    fn unplugged(dev: &drm::Device<Self, drm::Registered>, data: &Hardware<'_>) {
        pr_info!(
            "{}: unplugged, entered: {}\n",
            data.id,
            dev.enter(|_| ()).is_some()
        );
        let queued = dev.queue_work(|dev| {
            pr_info!(
                "{}: last work, entered: {}\n",
                dev.id,
                dev.enter(|_| ()).is_some()
            );
        });
        if queued.is_err() {
            pr_info!("{}: last work cannot be queued\n", data.id);
        }
    }
}

impl drm::platform::Driver for Lifecycle {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        let id = number(cx.parent());
        shared::begin()?;
        pr_info!("{id}: probe\n");

        let dev = drm::UnregisteredDevice::<Self>::new(cx, Data::new(id))?;
        if shared::HUGE_TWICE.take() {
            let [first, second] =
                [(); 2].map(|()| dev.use_huge_pages().map_or_else(Error::to_errno, |()| 0));
            pr_info!("{id}: huge pages: {first}, then {second}\n");
        } else {
            dev.use_huge_pages()?;
            pr_info!("{id}: huge pages on a fresh device\n");
        }
        pr_info!(
            "{id}: before registration, entered: {}\n",
            dev.enter(|_| ()).is_some()
        );
        for n in 1..=3 {
            dev.add_action(move || pr_info!("{id}: managed action {n}\n"))?;
        }

        let early = Object::new(&dev, gem::Size::PAGE, shared::serial())?;
        early.vmap()?.write(0, &EARLY.to_ne_bytes())?;
        rules(&early)?;
        let huge = dev.use_huge_pages().map_or_else(Error::to_errno, |()| 0);
        pr_info!("{id}: huge pages when shared: {huge}\n");
        if shared::KEEP_NEXT.take() {
            shared::keep_device(Some((&*dev).into()));
            shared::keep_object(Some(early.clone()));
        }

        let ready = dev.ready(Hardware::new(id, early, cx.parent()))?;
        shared::may_fail(uapi::LIFECYCLE_FAIL_PROBE)?;
        Ok(ready)
    }
}

/// Checks the refused accesses to a page: words that are not aligned or lie outside of it, and
/// fences without room.
fn rules(object: &Object) -> Result {
    let map = object.vmap()?;
    let outside = [1, 2, 3, PAGE_SIZE - 2, PAGE_SIZE, usize::MAX - 3];
    let words = outside
        .into_iter()
        .all(|at| map.read_word(at) == Err(EINVAL) && map.write_word(at, 0) == Err(EINVAL));
    let fence = Fence::signaled();
    let room = object.resv().lock(|resv| -> Result<bool> {
        let mut slots = resv.reserve(1)?;
        slots.add(&fence, Usage::Read)?;
        let used_up = slots.add(&fence, Usage::Read) == Err(ENOSPC);
        let none = resv.reserve(0)?.add(&fence, Usage::Read) == Err(ENOSPC);
        Ok(used_up && none)
    })?;
    if words && room {
        Ok(())
    } else {
        pr_err!("what must be refused is not\n");
        Err(EINVAL)
    }
}

/// The content of the object that was created before registration.
const EARLY: u64 = 0x0ea2_17b1_2d00;

/// Returns the number at the end of the platform device's name.
fn number(parent: &device::Device<Bound>) -> u32 {
    match parent.name().to_bytes().last() {
        Some(digit) => u32::from(digit - b'0'),
        None => 0,
    }
}
