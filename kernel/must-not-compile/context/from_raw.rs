// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A device is made from a C pointer.

include!("../driver.rs");

fn device(raw: *mut kernel::bindings::drm_device) {
    let dev: &Device<Mini, Registered> = Device::from_raw(raw); //~ WRONG
}
