// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Buffers of clients, and buffers of the driver itself, which no client sees.
//!
//! Source: `panthor_drm.h`; behaviour: drivers/gpu/drm/panthor/panthor_gem.c

use crate::{
    driver::Tyr,
    uapi, //
};
use drm::{
    gem,
    Device,
    Plugged, //
};
use kernel::{
    new_mutex,
    prelude::*,
    str::CString,
    sync::Mutex, //
};

pub(crate) type Object = gem::shmem::Object<Buffer>;

pub(crate) const NO_MMAP: u32 = uapi::drm_panthor_bo_flags_DRM_PANTHOR_BO_NO_MMAP;
pub(crate) const WB_MMAP: u32 = uapi::drm_panthor_bo_flags_DRM_PANTHOR_BO_WB_MMAP;

/// The arguments that a buffer is made from.
pub(crate) struct Args {
    pub(crate) flags: u32,
    /// Whether the GPU snoops the processors' caches.
    pub(crate) coherent: bool,
}

impl Args {
    /// Returns the arguments for a buffer of the driver itself, which no client maps. `coherent`
    /// says whether the GPU snoops the processors' caches.
    pub(crate) fn own(coherent: bool) -> Self {
        Self {
            flags: NO_MMAP,
            coherent,
        }
    }
}

#[pin_data]
pub(crate) struct Buffer {
    /// Flags passed to `BO_CREATE`.
    pub(crate) flags: u32,
    coherent: bool,
    /// The client's label for the buffer.
    #[pin]
    pub(crate) label: Mutex<Option<CString>>,
}

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = Tyr;
    type Args = Args;

    fn new(_dev: &Device<Tyr>, _size: gem::Size, args: Args) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            flags: args.flags,
            coherent: args.coherent,
            label <- new_mutex!(None, "tyr::Buffer::label"),
        }? Error)
    }

    /// Returns `true` for a GPU that does not snoop the processors' caches, unless the client
    /// flushes these itself.
    fn write_combine(&self) -> bool {
        !self.coherent && self.flags & WB_MMAP == 0
    }

    fn import(dev: &Plugged<'_, Tyr>, _size: gem::Size) -> Result<Args> {
        Ok(Args {
            flags: 0,
            coherent: dev.registration(|hardware| hardware.gpu.coherent),
        })
    }
}
