// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A complete DRM driver: buffers that clients can map and share, and an ioctl that counts its
//! calls.

#![forbid(unsafe_code)]

use drm::{gem, ioctl};
use kernel::prelude::*;
use kernel::sync::atomic::{Atomic, Relaxed};

/// The argument of the ioctl `NEXT`. It compiles only if it is plain bytes.
#[repr(C)]
#[derive(FromBytes, IntoBytes)]
struct Next {
    value: u64,
}

const NEXT: u32 = ioctl::iowr::<Next>(0x00);

struct Counter;

#[vtable]
impl drm::Driver for Counter {
    type Data = ();
    type RegistrationData<'bound> = Atomic<u64>;
    type File = drm::Plain<Self>;
    type Object = gem::shmem::Object<drm::Plain<Self>>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo =
        drm::DriverInfo::new(c"counter", c"Counts the calls of its ioctl");
    const FEATURES: drm::Features = drm::Features::GEM.render();

    drm::ioctls! { NEXT: Next, RENDER_ALLOW => Counter::next; }
}

impl drm::platform::Driver for Counter {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        let dev = drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?;
        dev.ready(Ok(Atomic::new(0)))
    }
}

impl Counter {
    /// Returns the next count. This runs only while the device is plugged. The count is dropped
    /// when the device is unplugged.
    fn next(
        _dev: &drm::Plugged<'_, Counter>,
        count: &Atomic<u64>,
        next: &mut Next,
        _file: &drm::File<drm::Plain<Counter>>,
    ) -> Result {
        next.value = count.fetch_add(1, Relaxed) + 1;
        Ok(())
    }
}

drm::module_platform_driver! {
    virtual_device: c"counter",
    type: Counter,
    name: "counter",
    authors: ["The Drydock authors"],
    description: "Counts the calls of its ioctl",
    license: "Dual MIT/GPL",
}
