// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A guarded handler takes other data than its driver's registration data.

include!("../driver.rs");

fn handler(_: &Plugged<'_, Mini>, _: &u32, _: &Args, _: &File<Client>) -> Result { //~ WRONG
//= fn handler(_: &Plugged<'_, Mini>, _: &Hardware<'_>, _: &Args, _: &File<Client>) -> Result {
    Ok(())
}

impl Mini {
    drm::ioctls! { WRITE: Args, NONE => handler; }
}
