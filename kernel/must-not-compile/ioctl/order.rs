// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The table is not in the order of the numbers.
//!
//! C would call the handler of another ioctl (L10).

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
        //= WRITE: Args, RENDER_ALLOW => write;
        WRITE: Args, RENDER_ALLOW => write; //~ WRONG
        //= BOTH: Args, RENDER_ALLOW => both;
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
