// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An event of one driver is reserved in another driver's file.

include!("../driver.rs");

fn event(file: &File<OtherClient>) -> Result { //~ WRONG
//= fn event(file: &File<Client>) -> Result {
    Event::<Mini, Finished>::reserve(file, Finished(1))?.send();
    Ok(())
}

#[derive(IntoBytes)]
#[repr(C)]
struct Finished(u64);

impl event::Payload for Finished {
    const TYPE: u32 = event::FIRST_DRIVER_TYPE;
}
