// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A handler requires a device that lives forever.
//!
//! It gets one for the call; to keep the device, take a counted reference.

include!("../driver.rs");

fn handler(_: &'static Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result { //~ WRONG
//= fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result {
    Ok(())
}

impl Mini {
    drm::ioctls! { WRITE: Args, NONE => handler; }
}
