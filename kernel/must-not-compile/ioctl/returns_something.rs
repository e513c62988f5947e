// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A handler cannot write the argument of an ioctl that returns it.

include!("../driver.rs");

fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result { //~ WRONG
//= fn handler(_: &Device<Mini, Registered>, _: &mut Args, _: &File<Client>) -> Result {
    Ok(())
}

impl Mini {
    drm::ioctls! { _; BOTH: Args, NONE => handler; }
}
