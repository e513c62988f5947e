// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An entry's number is not that of a DRM ioctl.

include!("../driver.rs");

fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result {
    Ok(())
}

const FOREIGN: u32 = _IOW::<Args>(b'f' as u32, 0x40); //~ WRONG
//= const FOREIGN: u32 = _IOW::<Args>(b'd' as u32, 0x40);
impl Mini {
    drm::ioctls! { FOREIGN: Args, NONE => handler; }
}

const TABLE: ioctl::Table<Mini> = Mini::IOCTLS;
