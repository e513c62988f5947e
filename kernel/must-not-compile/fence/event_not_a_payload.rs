// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An event is sent whose type number was not chosen.

include!("../driver.rs");

fn event(file: &File<Client>) -> Result {
    let event = Event::<Mini, u64>::reserve(file, 1)?; //~ WRONG
    Ok(())
}
