// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer's payload owns a value that belongs to one thread.
//!
//! The thread that drops the last reference frees the buffer (L9).

include!("../driver.rs");

struct Third;

#[derive(Default)]
struct ThirdClient;

struct ThirdBuffer {
    mapping: kernel::types::NotThreadSafe, //~ WRONG
    //= mapping: usize,
}
impl Default for ThirdBuffer {
    fn default() -> Self {
        unimplemented!()
    }
}
implement!(Third, (), ThirdClient, ThirdBuffer, drm::NoKms, ioctl::Table::empty());
