// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer's size is given as a number.
//!
//! The size must be checked once, early: `Size::exact` and `Size::round_up` refuse invalid numbers (L13).

include!("../driver.rs");

fn make(dev: &Device<Mini>, bytes: u64) -> Result<ARef<Object>> {
    Object::new(dev, bytes, ()) //~ WRONG
    //= Object::new(dev, gem::Size::round_up(bytes)?, ())
}
