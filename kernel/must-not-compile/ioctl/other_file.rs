// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An ioctl's handler takes another driver's file.
//!
//! The table belongs to one driver, and so do its devices, files and data (L10).

include!("../driver.rs");

fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<OtherClient>) -> Result { //~ WRONG
//= fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result {
    Ok(())
}

impl Mini {
    drm::ioctls! { WRITE: Args, NONE => handler; }
}
