// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The guard is shared with another thread.

include!("../driver.rs");

fn run(_: impl FnOnce() + Send) {}

fn share(dev: &Device<Mini>) {
    dev.enter(|plugged| run(|| drop(plugged.parent()))); //~ WRONG
    //= dev.enter(|plugged| run(|| drop(dev.parent())));
}
