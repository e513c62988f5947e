// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The buffers: memory and nothing else.

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

    /// There is no ioctl that says when the CPU starts and ends to access a buffer, so what is written
    /// must be visible to other devices without one.
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
