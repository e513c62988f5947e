// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Buffers: each is a handle and a size. A buffer has no memory until the driver manages the GPU's
//! memory.

use crate::driver::Nova;
use drm::{
    gem,
    Device, //
};
use kernel::prelude::*;

pub(crate) type Object = gem::Object<Buffer>;

pub(crate) struct Buffer;

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = Nova;
    type Args = ();

    fn new(_dev: &Device<Nova>, _size: gem::Size, _args: ()) -> impl PinInit<Self, Error> {
        Ok::<_, Error>(Self)
    }
}
