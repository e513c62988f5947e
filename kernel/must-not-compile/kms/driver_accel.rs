// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A compute accelerator has mode setting.
//!
//! Its nodes are in `/dev/accel`, where clients look for no displays. C would refuse the device.

include!("../driver.rs");
include!("../display.rs");

struct Show;

#[vtable]
impl drm::Driver for Show {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = drm::Plain<Self>;
    type Object = gem::shmem::Object<drm::Plain<Self>>;
    type Kms = kms::Kms;

    const INFO: drm::DriverInfo = INFO;
    const FEATURES: drm::Features = drm::Features::GEM.accel(); //~ WRONG
    //= const FEATURES: drm::Features = drm::Features::GEM;
    const IOCTLS: ioctl::Table<Self> = ioctl::Table::empty();
}

impl kms::Driver for Show {
    type Plane = ShowLayer;
    type Crtc = ShowScreen;
    type Connector = ShowMonitor;
    type Objects = ();
}

layer!(ShowLayer, Show);
screen!(ShowScreen, Show);
monitor!(ShowMonitor, Show);

pub fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Show>> {
    UnregisteredDevice::<Show>::new(cx, Ok(()))?.init_kms(|_| Ok(()))?.ready(Ok::<_, Error>(()))
}
