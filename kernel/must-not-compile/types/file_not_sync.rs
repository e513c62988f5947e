// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A file's data has a `Cell`.
//!
//! Threads of a client share a file and call ioctls at the same time (L9).

include!("../driver.rs");

struct Third;

#[derive(Default)]
struct ThirdClient {
    submissions: core::cell::Cell<u32>, //~ WRONG
    //= submissions: u32,
}

#[derive(Default)]
struct ThirdBuffer;
implement!(Third, (), ThirdClient, ThirdBuffer, drm::NoKms, ioctl::Table::empty());
