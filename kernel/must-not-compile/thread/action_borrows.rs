// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A managed action borrows a local variable.
//!
//! The action runs when the last reference to the device is gone.

include!("../driver.rs");

fn later(dev: &Device<Mini>) -> Result {
    let name = [0_u8; 16];
    dev.add_action(|| drop(&name)) //~ WRONG
    //= dev.add_action(move || drop(name))
}
