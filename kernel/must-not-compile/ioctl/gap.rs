// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The table leaves a number out.
//!
//! C finds an entry by its number; a number that the uapi does not use is written `_;` (L10).

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
    const FEATURES: drm::Features = drm::Features::GEM;
    drm::ioctls! {
        BOTH: Args, RENDER_ALLOW => both; //~ WRONG
        //= _; BOTH: Args, RENDER_ALLOW => both;
    }
}

#[derive(Default)]
struct ThirdClient;
client!(ThirdClient, Third);
#[derive(Default)]
struct ThirdBuffer;
payload!(ThirdBuffer, Third);

fn write(_: &Device<Third, Registered>, _: &Args, _: &File<ThirdClient>) -> Result {
    Ok(())
}

fn both(_: &Device<Third, Registered>, _: &mut Args, _: &File<ThirdClient>) -> Result {
    Ok(())
}

pub fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Third>> {
    UnregisteredDevice::<Third>::new(cx, Ok(()))?.ready(Ok::<_, Error>(()))
}
