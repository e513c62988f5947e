// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Registration data has a `Cell`.
//!
//! Ioctls of many tasks use it at the same time (L9).

include!("../driver.rs");

driver!(Third, Counters, ThirdClient, ThirdBuffer, drm::NoKms, ioctl::Table::empty());

struct Counters {
    submissions: core::cell::Cell<u32>, //~ WRONG
    //= submissions: kernel::sync::atomic::Atomic<u32>,
}
