// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A handle is made while its file closes.
//!
//! C is closing all handles: the new one would be left over, or be closed and made again forever (L12, L14).

include!("../driver.rs");

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
        let _ = obj.create_handle(file); //~ WRONG
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
