// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A device's data has a `Cell`.
//!
//! Every file, work item and callback of the device shares it (L9).

include!("../driver.rs");

struct Third;

#[vtable]
impl drm::Driver for Third {
    type Data = core::cell::Cell<u32>; //~ WRONG
    //= type Data = kernel::sync::atomic::Atomic<u32>;
    type RegistrationData<'bound> = ();
    type File = ThirdClient;
    type Object = gem::shmem::Object<ThirdBuffer>;
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
payload!(ThirdBuffer, Third);
