// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A reference to registration data is stored in the registration data.
//!
//! It would dangle while the data is dropped. The lifetime of the reference differs from that in the data's type (L8).

include!("../driver.rs");

fn store(dev: &Device<Mini>) {
    dev.enter(|plugged| plugged.registration(|hw| hw.itself.populate(hw))); //~ WRONG
    //= dev.enter(|plugged| plugged.registration(|hw| hw.itself.as_ref().is_some()));
}
