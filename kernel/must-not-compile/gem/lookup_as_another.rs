// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A handle is looked up as another driver's buffer.

include!("../driver.rs");

fn lookup(file: &File<Client>, handle: u32) -> Result {
    OtherObject::lookup(file, handle)?; //~ WRONG
    //= Object::lookup(file, handle)?;
    Ok(())
}
