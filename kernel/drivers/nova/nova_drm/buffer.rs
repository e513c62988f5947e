// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer: a handle and a size. Nothing lies behind it until the GPU's memory is managed.

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
