// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Buffers whose callbacks are traps.

use crate::{
    client::Client,
    driver::Attacked,
    trap::{
        self,
        DropTrap, //
    },
};
use drm::{
    gem,
    Device,
    File,
    Plugged,
    Registered, //
};
use kernel::prelude::*;

pub(crate) type Object = gem::shmem::Object<Buffer>;

pub(crate) struct Buffer {
    _drop_trap: DropTrap,
}

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = Attacked;
    type Args = ();

    fn new(dev: &Device<Attacked>, _size: gem::Size, (): ()) -> impl PinInit<Self, Error> {
        trap::with_device(trap::OBJECT_NEW, dev);
        Ok::<_, Error>(Self {
            _drop_trap: DropTrap(trap::OBJECT_DROP, dev.into()),
        })
    }

    fn dumb(dev: &Device<Attacked, Registered>, _size: gem::Size) -> Result {
        trap::with_device(trap::OBJECT_DUMB, dev);
        Ok(())
    }

    fn import(dev: &Plugged<'_, Attacked>, _size: gem::Size) -> Result {
        trap::with_device(trap::OBJECT_IMPORT, dev.device());
        Ok(())
    }

    fn open(obj: &Object, file: &File<Client>) -> Result {
        trap::with_object_and_file(trap::OBJECT_OPEN, obj, file);
        Ok(())
    }

    fn close(obj: &Object, _client: Pin<&Client>) {
        trap::with_object(trap::OBJECT_CLOSE, obj);
    }
}
