// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An argument has a type that is not known to be plain bytes.

include!("../driver.rs");

#[derive(FromBytes)] //~ WRONG
//= #[derive(FromBytes, IntoBytes)]
#[repr(C)]
struct Bare {
    handle: u32,
    value: u32,
}

fn handler(_: &Device<Mini, Registered>, _: &Bare, _: &File<Client>) -> Result {
    Ok(())
}

impl Mini {
    drm::ioctls! { WRITE: Bare, NONE => handler; }
}
