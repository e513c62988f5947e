// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Registration data is asked for on a device that may be unplugged by now.
//!
//! `Registered` says that registration has begun at some point; that it still lasts is only known in `enter` (L6).

include!("../driver.rs");

fn revision(dev: &Device<Mini, Registered>) -> Option<u32> {
    dev.registration(|hw| Some(hw.revision)) //~ WRONG
    //= dev.enter(|plugged| plugged.registration(|hw| hw.revision))
}
