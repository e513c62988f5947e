// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The unregistered device is shared with another thread.
//!
//! Only the device in it may be shared: `&*dev`, or a counted reference (L15).

include!("../driver.rs");

fn run(_: impl FnOnce() + Send) {}

fn elsewhere(dev: &UnregisteredDevice<'_, Mini>) {
    //= let dev: &Device<Mini> = dev;
    run(|| drop(dev.name())); //~ WRONG
    //= run(|| drop(dev.name()));
}
