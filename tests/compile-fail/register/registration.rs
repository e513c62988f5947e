// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The crate's registration is named, to be held and forgotten by a driver.
//!
//! After `mem::forget` nobody would unplug the device. So the adapters own it and no driver ever sees it (L4).

include!("../driver.rs");

struct Held {
    registration: drm::registration::Registration<'static, Mini>, //~ WRONG
}
