// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A handler takes its registration data to change it.

include!("../driver.rs");

fn handler(_: &Plugged<'_, Mini>, _: &mut Hardware<'_>, _: &Args, _: &File<Client>) -> Result { //~ WRONG
//= fn handler(_: &Plugged<'_, Mini>, _: &Hardware<'_>, _: &Args, _: &File<Client>) -> Result {
    Ok(())
}

impl Mini {
    drm::ioctls! { WRITE: Args, NONE => handler; }
}
