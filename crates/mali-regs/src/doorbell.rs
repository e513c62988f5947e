// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Doorbells, each in a page of its own so that it can be mapped for userspace, and the page with the flush count.
//!
//! Source: `panthor_fw_regs.h`, `panthor_drm.h` (`DRM_PANTHOR_USER_FLUSH_ID_MMIO_OFFSET`), `tyr/regs.rs`.

registers! {
    /// The number of cache flushes. Userspace may map this page.
    LATEST_FLUSH_ID @ 0x1_0000, W32, Read;
    /// Writing [`RING`] makes the firmware check its input.
    DOORBELL[COUNT; 0x1_0000] @ 0x8_0000, W32, Write;
}

/// The number of doorbells in the register block.
pub const COUNT: usize = (crate::SIZE - 0x8_0000) / 0x1_0000;

/// The doorbell of the global interface; the others can be given to streams.
pub const GLOBAL: usize = 0;

/// The value that rings a doorbell.
pub const RING: u32 = 1;
