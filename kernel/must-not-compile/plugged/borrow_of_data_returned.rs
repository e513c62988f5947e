// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A borrow in the registration data leaves the scope.
//!
//! The borrowed value lives as long as the registration, of which the scope sees only its own part.

include!("../driver.rs");

fn parent(dev: &Device<Mini>) {
    dev.enter(|plugged| plugged.registration(|hw| hw.parent)); //~ WRONG
    //= dev.enter(|plugged| plugged.registration(|hw| drop(hw.parent)));
}
