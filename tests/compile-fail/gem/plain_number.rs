// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer's size is given as a number.
//!
//! Whether it is a size has to be decided once: `Size::exact` and `Size::round_up` say no in time (L13).

include!("../driver.rs");

fn make(dev: &Device<Mini>, bytes: u64) -> Result<ARef<Object>> {
    Object::new(dev, bytes, ()) //~ WRONG
    //= Object::new(dev, gem::Size::round_up(bytes)?, ())
}
