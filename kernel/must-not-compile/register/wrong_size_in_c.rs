// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! C's allocator is called with the size of the wrong type.
//!
//! The reviewed patch did so, by a `Layout::new::<Self>()` whose `Self` had become another type (L2).

include!("../driver.rs");

fn probe(parent: &Parent, table: &kernel::bindings::drm_driver) {
    let size = size_of::<UnregisteredDevice<'_, Mini>>();
    kernel::bindings::__drm_dev_alloc(core::ptr::null_mut(), table, size, 0); //~ WRONG
}
