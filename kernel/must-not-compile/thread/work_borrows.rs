// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A work item borrows a local variable.

include!("../driver.rs");

fn later(dev: &Device<Mini>) -> Result {
    let name = [0_u8; 16];
    dev.queue_work(|_| drop(&name)) //~ WRONG
    //= dev.queue_work(move |_| drop(name))
}
