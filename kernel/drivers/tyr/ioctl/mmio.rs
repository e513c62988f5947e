// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `SET_USER_MMIO_OFFSET`: where a client maps registers.
//!
//! uapi: `include/uapi/drm/panthor_drm.h`; errno: drivers/gpu/drm/panthor/panthor_drv.c

use crate::{
    client::Client,
    driver::Tyr,
    uapi::{
        drm_panthor_set_user_mmio_offset,
        DRM_PANTHOR_USER_MMIO_OFFSET_32BIT,
        DRM_PANTHOR_USER_MMIO_OFFSET_64BIT, //
    },
};
use drm::{
    Device,
    File,
    Registered, //
};
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

/// Sets the offset of mapped registers. Fails with `EINVAL` for any but the two known offsets.
pub(crate) fn set_offset(
    _dev: &Device<Tyr, Registered>,
    arg: &mut drm_panthor_set_user_mmio_offset,
    file: &File<Client>,
) -> Result {
    match arg.offset {
        DRM_PANTHOR_USER_MMIO_OFFSET_32BIT | DRM_PANTHOR_USER_MMIO_OFFSET_64BIT => {
            file.mmio_offset.store(arg.offset, Relaxed);
            Ok(())
        }
        _ => Err(EINVAL),
    }
}
