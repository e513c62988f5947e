// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A handler takes registration data without the guard.
//!
//! Unguarded handlers run on unplugged devices too; they get the device alone, and can enter.

include!("../driver.rs");

fn handler(_: &Device<Mini, Registered>, _: &Hardware<'_>, _: &Args, _: &File<Client>) -> Result { //~ WRONG
//= fn handler(_: &Plugged<'_, Mini>, _: &Hardware<'_>, _: &Args, _: &File<Client>) -> Result {
    Ok(())
}

impl Mini {
    drm::ioctls! { WRITE: Args, NONE => handler; }
}
