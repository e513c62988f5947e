// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A parent's data cannot be sent to another thread.
//!
//! The thread that unbinds a device is not the one that bound it.

include!("../driver.rs");

struct Card;

#[vtable]
impl drm::parent::Driver for Card {
    type Data<'bound> = *const u32; //~ WRONG
    //= type Data<'bound> = &'bound u32;
    const NAME: &'static CStr = c"card";
}
