// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A parent driver makes by hand what its adapter keeps of a bound device.
//!
//! The driver could drop it before the children are removed, or forget it (L4).

include!("../driver.rs");

struct Card;

#[vtable]
impl drm::parent::Driver for Card {
    type Data<'bound> = u32;
    const NAME: &'static CStr = c"card";
}

fn keep(data: Pin<KBox<u32>>) {
    core::mem::forget(drm::parent::Live::<Card>::new(data, drm::bus::Owned::new())); //~ WRONG
    //= drop(data);
}
