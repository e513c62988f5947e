// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Buffers without memory are offered as dumb buffers.
//!
//! A client could create them and not map them.

include!("../driver.rs");

struct Third;

#[vtable]
impl drm::Driver for Third {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = ThirdClient;
    type Object = gem::Object<ThirdBuffer>; //~ WRONG
    //= type Object = gem::shmem::Object<ThirdBuffer>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = INFO;
    const FEATURES: drm::Features = drm::Features::GEM;
    const IOCTLS: ioctl::Table<Self> = ioctl::Table::empty();
}

#[derive(Default)]
struct ThirdClient;
client!(ThirdClient, Third);

struct ThirdBuffer;

#[vtable]
impl DriverObject for ThirdBuffer {
    type Driver = Third;
    type Args = ();

    fn new(_: &Device<Third>, _: gem::Size, _: ()) -> impl PinInit<Self, Error> {
        Ok::<_, Error>(Self)
    }

    fn dumb(_: &Device<Third, Registered>, _: gem::Size) -> Result {
        Ok(())
    }
}

pub fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Third>> {
    UnregisteredDevice::<Third>::new(cx, Ok(()))?.ready(Ok::<_, Error>(()))
}
