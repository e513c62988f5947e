// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The ioctls of nova's clients.

use crate::{
    buffer::Object,
    driver::Nova,
    uapi, //
};
use drm::{
    gem::{
        self,
        Class, //
    },
    Device,
    File,
    Plugged,
    Registered, //
};
use kernel::prelude::*;
use nova_regs::Gpu;

/// The data of a client: nothing but its buffers.
pub(crate) type Client = drm::Plain<Nova>;

/// Checks that `pad` is zero. It may get a meaning later, so clients must not rely on its being
/// ignored.
fn zero(pad: u32) -> Result {
    if pad == 0 {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

impl Nova {
    /// Returns a parameter of the GPU. Fails with `EINVAL` for an unknown parameter; all 64 bits of
    /// it count.
    pub(crate) fn get_param(
        _dev: &Plugged<'_, Nova>,
        gpu: &Gpu,
        arg: &mut uapi::drm_nova_getparam,
        _file: &File<Client>,
    ) -> Result {
        arg.value = match u32::try_from(arg.param) {
            Ok(uapi::NOVA_GETPARAM_VRAM_BAR_SIZE) => gpu.vram_bar_size,
            _ => return Err(EINVAL),
        };
        Ok(())
    }

    /// Creates a buffer, with the size rounded up to whole pages. Fails with `EINVAL` if the size
    /// is zero or exceeds the address space.
    pub(crate) fn gem_create(
        dev: &Device<Nova, Registered>,
        arg: &mut uapi::drm_nova_gem_create,
        file: &File<Client>,
    ) -> Result {
        zero(arg.pad)?;
        let object = Object::new(dev, gem::Size::round_up(arg.size)?, ())?;
        arg.handle = object.create_handle(file)?;
        Ok(())
    }

    /// Returns the size of a buffer. Fails with `ENOENT` if this file does not have the handle.
    pub(crate) fn gem_info(
        _dev: &Device<Nova, Registered>,
        arg: &mut uapi::drm_nova_gem_info,
        file: &File<Client>,
    ) -> Result {
        zero(arg.pad)?;
        let object = Object::lookup(file, arg.handle)?;
        arg.size = object.size().bytes() as u64;
        Ok(())
    }
}
