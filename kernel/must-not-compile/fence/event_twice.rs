// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An event is sent twice.

include!("../driver.rs");

fn send(event: Event<Mini, Finished>) {
    event.send();
    event.send(); //~ WRONG
}

#[derive(IntoBytes)]
#[repr(C)]
struct Finished(u64);

impl event::Payload for Finished {
    const TYPE: u32 = event::FIRST_DRIVER_TYPE;
}
