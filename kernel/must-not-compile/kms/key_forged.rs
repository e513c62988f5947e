// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A key is made by a literal.
//!
//! A key proves that its object exists as long as the device's memory (K3).

include!("../driver.rs");
include!("../display.rs");

fn forge(object: core::ptr::NonNull<Crtc<Screen>>, dev: &Device<Display>) -> Key<Crtc<Screen>> { //~ WRONG
//= fn forge(object: core::ptr::NonNull<Crtc<Screen>>, dev: &Device<Display>) {
    Key { object, dev: core::ptr::null() } //~ WRONG
}
