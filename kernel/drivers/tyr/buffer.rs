// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Buffers: those of clients, and those of the driver itself, which no client sees.

use crate::driver::Tyr;
use drm::{
    gem,
    Device, //
};
use kernel::prelude::*;

pub(crate) type Object = gem::shmem::Object<Buffer>;

/// What a buffer is made from.
pub(crate) struct Args {
    flags: u32,
    write_combine: bool,
}

impl Args {
    /// A buffer that no client maps. `write_combine` for a GPU that does not see the processors' caches.
    pub(crate) fn firmware(write_combine: bool) -> Self {
        Self {
            flags: crate::uapi::drm_panthor_bo_flags_DRM_PANTHOR_BO_NO_MMAP,
            write_combine,
        }
    }
}

pub(crate) struct Buffer {
    flags: u32,
    write_combine: bool,
}

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = Tyr;
    type Args = Args;

    fn new(_dev: &Device<Tyr>, _size: gem::Size, args: Args) -> impl PinInit<Self, Error> {
        Ok::<_, Error>(Self {
            flags: args.flags,
            write_combine: args.write_combine,
        })
    }

    fn write_combine(&self) -> bool {
        self.write_combine
    }
}
