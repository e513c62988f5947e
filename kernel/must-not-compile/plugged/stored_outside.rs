// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The guard is stored in a variable outside of its scope.

include!("../driver.rs");

fn keep(dev: &Device<Mini>) {
    let mut kept = None;
    dev.enter(|plugged| kept = Some(plugged)); //~ WRONG
    //= dev.enter(|plugged| kept = Some(plugged.is_same(dev)));
    drop(kept);
}
