// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver declares another driver's buffers as its own.
//!
//! A lookup of a handle would return the wrong type (L12).

include!("../driver.rs");

struct Third;

#[vtable]
impl drm::Driver for Third {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = ThirdClient;
    type Object = OtherObject; //~ WRONG
    //= type Object = gem::shmem::Object<ThirdBuffer>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = INFO;
    const FEATURES: drm::Features = drm::Features::GEM;
    const IOCTLS: ioctl::Table<Self> = ioctl::Table::empty();
}

#[derive(Default)]
struct ThirdClient;
client!(ThirdClient, Third);

#[derive(Default)]
struct ThirdBuffer;
//= payload!(ThirdBuffer, Third);
