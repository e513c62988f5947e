// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A handler changes the argument of an ioctl that returns nothing.
//!
//! The change would never reach userspace.

include!("../driver.rs");

fn handler(_: &Device<Mini, Registered>, _: &mut Args, _: &File<Client>) -> Result { //~ WRONG
//= fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result {
    Ok(())
}

impl Mini {
    drm::ioctls! { WRITE: Args, NONE => handler; }
}
