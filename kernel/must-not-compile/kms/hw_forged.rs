// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Access for a hook is made of a `Plugged`.
//!
//! A hook's access comes with its commit or its connector; an ioctl calls no hook.

include!("../driver.rs");
include!("../display.rs");

fn ioctl(dev: Plugged<'_, Display>) {
    Hw::new(dev).parent(); //~ WRONG
    //= dev.parent();
}
