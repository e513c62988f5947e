// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Clients, with their address spaces and their other data.
//!
//! Source: `panthor_drm.h`; behaviour: drivers/gpu/drm/panthor/panthor_drv.c

use crate::{
    driver::Tyr,
    uapi::DRM_PANTHOR_USER_MMIO_OFFSET_64BIT,
    vm, //
};
use core::fmt::Write;
use drm::{
    file::FdInfo,
    Device,
    Registered, //
};
use kernel::{
    page::PAGE_SHIFT,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

#[pin_data]
pub(crate) struct Client {
    /// The offset at which the client maps registers.
    pub(crate) mmio_offset: Atomic<u64>,
    #[pin]
    pub(crate) vms: vm::Pool,
}

#[vtable]
impl drm::DriverFile for Client {
    type Driver = Tyr;

    fn open(_dev: &Device<Tyr, Registered>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // A 32-bit process sets its own offset with the ioctl.
            mmio_offset: Atomic::new(DRM_PANTHOR_USER_MMIO_OFFSET_64BIT),
            vms <- vm::Pool::new(),
        }? Error)
    }

    fn register_page(&self, offset: u64) -> Option<u32> {
        let offset = offset.checked_sub(self.mmio_offset.load(Relaxed))?;
        Some(u32::try_from(offset >> PAGE_SHIFT).unwrap_or(u32::MAX))
    }

    fn fdinfo(&self, dev: &Device<Tyr, Registered>, out: &mut FdInfo<'_>) {
        let hertz = dev.enter(|plugged| plugged.registration(|hardware| hardware.hertz()));
        if let Some(hertz) = hertz {
            // Writing to the printer does not fail.
            let _ = writeln!(out, "drm-maxfreq-panthor:\t{hertz} Hz");
            let _ = writeln!(out, "drm-curfreq-panthor:\t{hertz} Hz");
        }
    }
}
