// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The C function that registers is called.
//!
//! It asks for much that a driver cannot show; a driver has no `unsafe` (L18).

include!("../driver.rs");

fn register(dev: &Device<Mini>) {
    kernel::bindings::drm_dev_register(core::ptr::null_mut(), 0); //~ WRONG
}
