// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's types: a device whose only hardware is a set of pending fences.

use crate::{
    callbacks,
    client::{
        Client,
        Kept, //
    },
    uapi, //
};
use drm::{
    fence::{
        Class,
        Pending, //
    },
    gem,
    Device, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

pub(crate) struct SyncTest;

/// The fences that the driver issues.
pub(crate) static FENCES: Class = Class::of::<SyncTest>(c"test");

/// The device's data while it is plugged. When it is dropped, its fences end with `ENODEV` and its
/// events are cancelled.
#[pin_data]
pub(crate) struct Hardware {
    pub(crate) pending: Pending,
    /// Events of open or closed files.
    #[pin]
    pub(crate) events: Mutex<Kept>,
}

/// The empty payload of the driver's buffers.
pub(crate) struct Buffer;

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = SyncTest;
    type Args = ();

    fn new(_dev: &Device<SyncTest>, _size: gem::Size, _args: ()) -> impl PinInit<Self, Error> {
        Ok(Self)
    }
}

#[vtable]
impl drm::Driver for SyncTest {
    type Data = ();
    type RegistrationData<'bound> = Hardware;
    type File = Client;
    type Object = gem::shmem::Object<Buffer>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 1,
        minor: 0,
        patchlevel: 0,
        name: c"sync_test",
        desc: c"Fences, sync objects and events on request",
    };
    const FEATURES: drm::Features = drm::Features::GEM.render().syncobj_timeline();

    drm::ioctls! {
        uapi::DRM_IOCTL_SYNC_TEST_ISSUE: uapi::drm_sync_test_issue, RENDER_ALLOW => Client::issue;
        uapi::DRM_IOCTL_SYNC_TEST_END: uapi::drm_sync_test_end, RENDER_ALLOW => Client::end;
        uapi::DRM_IOCTL_SYNC_TEST_WAIT: uapi::drm_sync_test_wait, RENDER_ALLOW => Client::wait;
        uapi::DRM_IOCTL_SYNC_TEST_NOTIFY: uapi::drm_sync_test_notify, RENDER_ALLOW => Client::notify;
        uapi::DRM_IOCTL_SYNC_TEST_CALLBACKS: uapi::drm_sync_test_callbacks, RENDER_ALLOW => callbacks::race;
        uapi::DRM_IOCTL_SYNC_TEST_CLOSE: uapi::drm_sync_test_close, RENDER_ALLOW => Client::close_pending;
    }
}

impl drm::platform::Driver for SyncTest {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        let dev = drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?;
        dev.ready(try_pin_init!(Hardware {
            pending: Pending::new()?,
            events <- new_mutex!(KVec::new()),
        }))
    }
}
