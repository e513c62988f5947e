// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The life-cycle test driver. On request it does what tests of the obligations L3 to L16 need, and
//! logs when each of its parts is created and dropped.
//!
//! Its lines are `lifecycle: N: what happened`, where N is the number of the device. The tests are
//! in guest/tests, and the requests in lifecycle_drm.h.

#![deny(unsafe_code)]

mod buffer;
mod client;
mod driver;
mod shared;
#[path = "../uapi.rs"]
mod uapi;
mod vm;

drm::module_platform_driver! {
    type: driver::Lifecycle,
    name: "lifecycle",
    authors: ["The Drydock authors"],
    description: "Test driver for the life cycle",
    license: "Dual MIT/GPL",
}
