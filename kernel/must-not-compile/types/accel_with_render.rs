// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A compute accelerator declares a render node.
//!
//! The DRM core refuses such a device at run time; here it does not build.

include!("../driver.rs");

struct Third;

#[vtable]
impl drm::Driver for Third {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = ThirdClient;
    type Object = gem::shmem::Object<ThirdBuffer>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = INFO;
    const FEATURES: drm::Features = drm::Features::GEM.render().accel(); //~ WRONG
    //= const FEATURES: drm::Features = drm::Features::GEM.accel();
    const IOCTLS: ioctl::Table<Self> = ioctl::Table::empty();
}

#[derive(Default)]
struct ThirdClient;
client!(ThirdClient, Third);
#[derive(Default)]
struct ThirdBuffer;
payload!(ThirdBuffer, Third);

pub fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Third>> {
    UnregisteredDevice::<Third>::new(cx, Ok(()))?.ready(Ok::<_, Error>(()))
}
