// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A client gets a handle for another driver's buffer.
//!
//! The handle would be looked up as a buffer of this driver (L12).

include!("../driver.rs");

fn handle(obj: &OtherObject, file: &File<Client>) -> Result<u32> { //~ WRONG
//= fn handle(obj: &Object, file: &File<Client>) -> Result<u32> {
    obj.create_handle(file)
}
