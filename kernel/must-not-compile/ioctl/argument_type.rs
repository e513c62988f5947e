// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A handler takes another type than its table entry says.

include!("../driver.rs");

fn handler(_: &Device<Mini, Registered>, _: &u64, _: &File<Client>) -> Result { //~ WRONG
//= fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result {
    Ok(())
}

impl Mini {
    drm::ioctls! { WRITE: Args, NONE => handler; }
}
