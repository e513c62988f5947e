// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A handler returns a value that a system call cannot return.

include!("../driver.rs");

fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result<u64> { //~ WRONG
//= fn handler(_: &Device<Mini, Registered>, _: &Args, _: &File<Client>) -> Result<u32> {
    Ok(0)
}

impl Mini {
    drm::ioctls! { WRITE: Args, NONE => handler; }
}
