// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A work item keeps a borrowed device.
//!
//! It gets the device by a reference of its own.

include!("../driver.rs");

fn later(dev: &Device<Mini>) -> Result {
    dev.queue_work(move |_| drop(dev.name())) //~ WRONG
    //= dev.queue_work(move |dev| drop(dev.name()))
}
