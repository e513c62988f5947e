// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The guard is given to another thread.
//!
//! The section is the task's that entered it (L15).

include!("../driver.rs");

fn run(_: impl FnOnce() + Send) {}

fn send(dev: &Device<Mini>) {
    dev.enter(|plugged| run(|| drop(plugged))); //~ WRONG
    //= dev.enter(|plugged| drop(plugged));
}
