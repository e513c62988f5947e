// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Registration data is changed without a lock.
//!
//! Ioctls run at the same time, so changes need a lock or an atomic.

include!("../driver.rs");

fn change(dev: &Device<Mini>) {
    dev.enter(|plugged| plugged.registration(|hw| hw.revision = 2)); //~ WRONG
    //= dev.enter(|plugged| plugged.registration(|hw| hw.revision == 2));
}
