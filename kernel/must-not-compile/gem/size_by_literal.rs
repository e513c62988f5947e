// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A size is built by hand.

include!("../driver.rs");

fn size() -> gem::Size {
    gem::Size(5000) //~ WRONG
    //= gem::Size::PAGE
}
