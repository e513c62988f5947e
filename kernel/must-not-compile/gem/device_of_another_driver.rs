// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer is made for another driver's device.

include!("../driver.rs");

fn make(dev: &Device<Other>) -> Result { //~ WRONG
//= fn make(dev: &Device<Mini>) -> Result {
    Object::new(dev, gem::Size::PAGE, ())?;
    Ok(())
}
