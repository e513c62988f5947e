// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The ioctls of a console's framebuffer, whose structures the programs here do not need.
//!
//! Source: `include/uapi/linux/fb.h` (Linux 7.3).

use super::*;

requests! {
    FBIO_WAITFORVSYNC: u32 = DIR_WRITE, b'F', 0x20, "FBIO_WAITFORVSYNC";
}

constants! {
    FBIOPUT_VSCREENINFO: u32 = 0x4601, "FBIOPUT_VSCREENINFO";
    FBIOGET_FSCREENINFO: u32 = 0x4602, "FBIOGET_FSCREENINFO";
    FBIOPAN_DISPLAY: u32 = 0x4606, "FBIOPAN_DISPLAY";
    FBIOBLANK: u32 = 0x4611, "FBIOBLANK";
}
