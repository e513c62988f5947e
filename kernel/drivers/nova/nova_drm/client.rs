// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A client: its ioctls.

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

/// Nothing is kept for a client but its buffers.
pub(crate) type Client = drm::Plain<Nova>;

/// `pad` is there to be used one day, so nobody may have got used to its being ignored.
fn zero(pad: u32) -> Result {
    if pad == 0 {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

impl Nova {
    /// `EINVAL` for an unknown parameter; all 64 bits of it count.
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

    /// The size is rounded up to whole pages. `EINVAL` for none, and for more than there are addresses.
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

    /// `ENOENT` for a handle that is not this file's.
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
