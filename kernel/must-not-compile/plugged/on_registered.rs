// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Registration data is requested from a device that may be unplugged.
//!
//! `Registered` means that registration has begun at some point; only `enter` proves that it still lasts (L6).

include!("../driver.rs");

fn revision(dev: &Device<Mini, Registered>) -> Option<u32> {
    dev.registration(|hw| Some(hw.revision)) //~ WRONG
    //= dev.enter(|plugged| plugged.registration(|hw| hw.revision))
}
