// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The crate's own way to change a context is called.

include!("../driver.rs");

fn registered(dev: &Device<Mini>) {
    let dev: &Device<Mini, Registered> = dev.assume_ctx(); //~ WRONG
}
