// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer's DMA addresses leave the scope.
//!
//! Teardown undoes the mapping as soon as no scope is open (L5).

include!("../driver.rs");

fn map(dev: &Device<Mini>, obj: &Object) {
    let table = dev.enter(|plugged| obj.sg_table(&plugged)); //~ WRONG
    //= let table = dev.enter(|plugged| obj.sg_table(&plugged).is_ok());
}
