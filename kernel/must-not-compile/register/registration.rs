// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver names the crate's registration, to hold and forget it.
//!
//! After `mem::forget` the device would never be unplugged. So the adapters own it and no driver ever sees it (L4).

include!("../driver.rs");

struct Held {
    registration: drm::registration::Registration<'static, Mini>, //~ WRONG
}
