// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A device is allocated without the render node that its driver does not have.
//!
//! The second table of a driver exists only beside one with a render node (L3).

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
    const FEATURES: drm::Features = drm::Features::GEM; //~ WRONG
    //= const FEATURES: drm::Features = drm::Features::GEM.render();
    const IOCTLS: ioctl::Table<Self> = ioctl::Table::empty();
}

#[derive(Default)]
struct ThirdClient;
client!(ThirdClient, Third);
#[derive(Default)]
struct ThirdBuffer;
payload!(ThirdBuffer, Third);

pub fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Third>> {
    UnregisteredDevice::<Third>::without_render_node(cx, Ok(()))?.ready(Ok::<_, Error>(()))
}
