// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An ioctl's handler requires registration data that may refer to itself.
//!
//! This equals storing it by a closure: the two lifetimes are one here (L8).

include!("../driver.rs");

fn handler<'g>(
    _dev: &Plugged<'g, Mini>,
    hw: &'g Hardware<'g>, //~ WRONG
    //= hw: &'g Hardware<'_>,
    _arg: &Args,
    _file: &File<Client>,
) -> Result {
    Ok(())
}

impl Mini {
    drm::ioctls! { WRITE: Args, NONE => handler; }
}
