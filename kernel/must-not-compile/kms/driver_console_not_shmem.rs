// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver whose buffers are not of shmem asks for a console.
//!
//! C's helper looks into the buffer, which must be the shmem one (`gem::shmem::Object`).

include!("../driver.rs");
include!("../display.rs");

struct Show;
struct ShowBuffer;

#[vtable]
impl drm::Driver for Show {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = drm::Plain<Self>;
    type Object = gem::Object<ShowBuffer>; //~ WRONG
    //= type Object = gem::shmem::Object<ShowBuffer>;
    type Kms = kms::Kms;

    const INFO: drm::DriverInfo = INFO;
    const FEATURES: drm::Features = drm::Features::GEM;
    const IOCTLS: ioctl::Table<Self> = ioctl::Table::empty();
}

#[vtable]
impl DriverObject for ShowBuffer {
    type Driver = Show;
    type Args = ();

    fn new(_: &Device<Show>, _: gem::Size, _: ()) -> impl PinInit<Self, Error> {
        Ok::<_, Error>(Self)
    }
}

impl kms::Driver for Show {
    type Plane = ShowLayer;
    type Crtc = ShowScreen;
    type Connector = ShowMonitor;
    type Objects = ();

    const CONSOLE: kms::Console<Self> = kms::Console::shmem::<ShowBuffer>();
}

layer!(ShowLayer, Show);
screen!(ShowScreen, Show);
monitor!(ShowMonitor, Show);
