// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An event has a type number of the DRM core.

include!("../driver.rs");

#[derive(IntoBytes)]
#[repr(C)]
struct Finished(u64);

impl event::Payload for Finished {
    const TYPE: u32 = 1; //~ WRONG
    //= const TYPE: u32 = event::FIRST_DRIVER_TYPE;
}

pub fn event(file: &File<Client>) -> Result {
    Event::<Mini, Finished>::reserve(file, Finished(1))?.send();
    Ok(())
}
