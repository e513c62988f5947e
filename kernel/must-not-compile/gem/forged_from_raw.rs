// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer is made from a C pointer.

include!("../driver.rs");

fn forge(raw: *mut kernel::bindings::drm_gem_object) {
    let obj = <Object as Class>::from_raw(raw); //~ WRONG
}
