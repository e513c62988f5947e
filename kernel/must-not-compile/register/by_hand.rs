// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver calls the C function that registers.
//!
//! It requires much that a driver cannot prove, and a driver has no `unsafe` (L18).

include!("../driver.rs");

fn register(dev: &Device<Mini>) {
    kernel::bindings::drm_dev_register(core::ptr::null_mut(), 0); //~ WRONG
}
