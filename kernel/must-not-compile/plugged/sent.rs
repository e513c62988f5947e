// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The guard is sent to another thread.
//!
//! The section belongs to the task that entered it (L15).

include!("../driver.rs");

fn run(_: impl FnOnce() + Send) {}

fn send(dev: &Device<Mini>) {
    dev.enter(|plugged| run(|| drop(plugged))); //~ WRONG
    //= dev.enter(|plugged| drop(plugged));
}
