// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver calls the crate's own function to change a context.

include!("../driver.rs");

fn registered(dev: &Device<Mini>) {
    let dev: &Device<Mini, Registered> = dev.assume_ctx(); //~ WRONG
}
