// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What registration data borrows leaves the scope.
//!
//! It is bound for as long as the registration lasts, of which the scope sees only its own part.

include!("../driver.rs");

fn parent(dev: &Device<Mini>) {
    dev.enter(|plugged| plugged.registration(|hw| hw.parent)); //~ WRONG
    //= dev.enter(|plugged| plugged.registration(|hw| drop(hw.parent)));
}
