// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An entry has a flag that does not exist.

include!("../driver.rs");

fn handler(_: &Device<Third, Registered>, _: &Args, _: &File<ThirdClient>) -> Result {
    Ok(())
}

struct Third;

#[vtable]
impl drm::Driver for Third {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = ThirdClient;
    type Object = gem::shmem::Object<ThirdBuffer>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = INFO;
    const FEATURES: drm::Features = drm::Features::GEM;
    drm::ioctls! {
        WRITE: Args, RENDER => handler; //~ WRONG
        //= WRITE: Args, RENDER_ALLOW => handler;
    }
}

#[derive(Default)]
struct ThirdClient;
client!(ThirdClient, Third);
#[derive(Default)]
struct ThirdBuffer;
payload!(ThirdBuffer, Third);
