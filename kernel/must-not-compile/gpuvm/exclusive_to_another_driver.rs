// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An object is made for an address space of another driver.
//!
//! It would have that one's reservation object.

include!("../driver.rs");

fn make(dev: &Device<Mini>, vm: &Vm<OtherSpace>) -> Result { //~ WRONG
//= fn make(dev: &Device<Mini>, vm: &Vm<MiniSpace>) -> Result {
    Object::new_exclusive(dev, gem::Size::PAGE, (), vm)?;
    Ok(())
}
