// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An ioctl's handler takes another driver's device.

include!("../driver.rs");

fn handler(_: &Device<Other, Registered>, _: &Args, _: &File<Client>) -> Result { //~ WRONG
//= fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result {
    Ok(())
}

impl Mini {
    drm::ioctls! { WRITE: Args, NONE => handler; }
}
