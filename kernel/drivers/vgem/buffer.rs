// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The buffers of vgem, which are only memory.

use crate::driver::Vgem;
use drm::{
    gem,
    Device,
    Plugged,
    Registered, //
};
use kernel::prelude::*;

pub(crate) type Object = gem::shmem::Object<Buffer>;

pub(crate) struct Buffer;

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = Vgem;
    type Args = ();

    fn new(_dev: &Device<Vgem>, _size: gem::Size, _args: ()) -> impl PinInit<Self, Error> {
        Ok(Self)
    }

    /// Returns `true`: no ioctl marks the start and end of a CPU access, so other devices must see
    /// writes without one.
    fn write_combine(&self) -> bool {
        true
    }

    fn dumb(_dev: &Device<Vgem, Registered>, _size: gem::Size) -> Result {
        Ok(())
    }

    fn import(_dev: &Plugged<'_, Vgem>, _size: gem::Size) -> Result {
        Ok(())
    }
}
