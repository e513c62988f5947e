// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The bound parent is requested from a device that may have lost it.
//!
//! `Device::parent` returns a parent about which nothing more is known; within `enter` it is bound (L6).

include!("../driver.rs");

fn parent(dev: &Device<Mini, Init>) -> Option<u64> {
    let mask = |parent: &Parent| 0;
    Some(mask(dev.parent())) //~ WRONG
    //= dev.enter(|plugged| mask(plugged.parent()))
}
