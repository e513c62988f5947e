// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An event's payload has padding.
//!
//! Padding bytes are never written, and would carry the kernel's memory to the client.

include!("../driver.rs");

#[derive(IntoBytes)]
#[repr(C)]
struct Finished {
    job: u64,
    result: u32,
    //= pad: u32,
} //~ WRONG
//= }

impl event::Payload for Finished {
    const TYPE: u32 = event::FIRST_DRIVER_TYPE;
}
