// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The guard is moved into a work item.
//!
//! Work runs later and elsewhere, and must enter by itself.

include!("../driver.rs");

fn later(dev: &Device<Mini>) -> Option<Result> {
    dev.enter(|plugged| {
        dev.queue_work(move |_| drop(plugged)) //~ WRONG
        //= dev.queue_work(move |dev| drop(dev.enter(|plugged| drop(plugged))))
    })
}
