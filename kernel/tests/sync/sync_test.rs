// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver for tests only. On request it issues fences, puts them into sync objects, and sends
//! events.
//!
//! uapi: `sync_test_drm.h` beside this file.

#![forbid(unsafe_code)]

mod callbacks;
mod client;
mod driver;
#[path = "../uapi.rs"]
mod uapi;

drm::module_platform_driver! {
    virtual_device: c"sync_test",
    type: driver::SyncTest,
    name: "sync_test",
    authors: ["The Drydock authors"],
    description: "Fences, sync objects and events on request",
    license: "Dual MIT/GPL",
}
