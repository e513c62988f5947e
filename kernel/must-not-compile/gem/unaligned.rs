// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer's size is no multiple of the page size.
//!
//! C stops the machine for it, with `BUG_ON` (L13).

include!("../driver.rs");

pub fn make(dev: &Device<Mini>) -> Result<ARef<Object>> {
    Object::new(dev, gem::Size::constant::<5000>(), ()) //~ WRONG
    //= Object::new(dev, gem::Size::constant::<8192>(), ())
}
