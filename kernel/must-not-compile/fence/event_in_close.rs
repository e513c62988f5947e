// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An event is reserved while its file closes.
//!
//! C has dropped the file's events already: a new one stays linked to the file after that is freed (L14, L23).

include!("../driver.rs");

#[derive(IntoBytes)]
#[repr(C)]
struct Told(u64);

impl event::Payload for Told {
    const TYPE: u32 = event::FIRST_DRIVER_TYPE;
}

enum Draw {}
#[derive(Default)]
struct DrawClient;
struct DrawBuffer;
type DrawObject = gem::shmem::Object<DrawBuffer>;

#[vtable]
impl DriverObject for DrawBuffer {
    type Driver = Draw;
    type Args = ();

    fn new(_: &Device<Draw>, _: gem::Size, _: ()) -> impl PinInit<Self, Error> {
        Ok::<_, Error>(Self)
    }

    fn close(obj: &DrawObject, file: Pin<&DrawClient>) {
        let _ = Event::reserve(file, Told(1)); //~ WRONG
        //= let _ = (obj.size(), file);
    }
}

#[vtable]
impl drm::Driver for Draw {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = DrawClient;
    type Object = DrawObject;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = INFO;
    const FEATURES: drm::Features = drm::Features::GEM;

    drm::ioctls! {}
}
client!(DrawClient, Draw);
