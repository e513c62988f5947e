// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver's module is declared by the kernel crate's macro.
//!
//! Such a module has no workqueue that is drained before its exit ends (L15).

include!("../driver.rs");

struct Third;
struct Stranger;

impl kernel::ModuleMetadata for Stranger {
    const NAME: &'static CStr = c"stranger";
    const THIS_MODULE: ThisModule = <LocalModule as kernel::ModuleMetadata>::THIS_MODULE;
}

#[vtable]
impl drm::Driver for Third {
    type OwnerModule = Stranger; //~ WRONG
    type Data = ();
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
