// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The guard is kept in a static.

include!("../driver.rs");

static KEPT: SetOnce<&'static Parent> = SetOnce::new();

fn keep(dev: &Device<Mini>) {
    dev.enter(|plugged| KEPT.populate(plugged.parent())); //~ WRONG
    //= dev.enter(|plugged| drop(plugged.parent()));
}
