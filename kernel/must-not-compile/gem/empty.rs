// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer's size is zero.

include!("../driver.rs");

pub fn make(dev: &Device<Mini>) -> Result<ARef<Object>> {
    Object::new(dev, gem::Size::constant::<0>(), ()) //~ WRONG
    //= Object::new(dev, gem::Size::constant::<4096>(), ())
}
