// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver's name contains a newline.
//!
//! C reads a driver's name up to the newline, and gives the driver's devices to one with that shorter name (L20).

include!("../driver.rs");

enum Lines {}

#[vtable]
impl drm::Driver for Lines {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = LinesClient;
    type Object = gem::shmem::Object<LinesBuffer>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = INFO;
    const FEATURES: drm::Features = drm::Features::GEM;
    const BUS_NAME: &'static CStr = c"mini\n2"; //~ WRONG
    //= const BUS_NAME: &'static CStr = c"mini-2";

    drm::ioctls! {}
}
#[derive(Default)]
struct LinesClient;
client!(LinesClient, Lines);
#[derive(Default)]
struct LinesBuffer;
payload!(LinesBuffer, Lines);

impl drm::faux::Driver for Lines {
    fn probe<'bound>(cx: &drm::faux::Probe<'bound>) -> Result<Ready<'bound, Self>> {
        UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(()))
    }
}

pub fn create(module: &'static ThisModule) -> Result {
    drm::faux::Registration::<Lines>::new(c"mini", module).map(drop)
}
