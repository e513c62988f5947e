// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A handler requires an argument that lives forever.

include!("../driver.rs");

fn handler(_: &Device<Mini, Registered>, _: &'static Args, _: &File<Client>) -> Result { //~ WRONG
//= fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result {
    Ok(())
}

impl Mini {
    drm::ioctls! { WRITE: Args, NONE => handler; }
}
