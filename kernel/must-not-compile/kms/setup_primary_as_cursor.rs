// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A primary plane is used as a cursor.
//!
//! C knows the kind of a plane when it is created, and so does its type.

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>) -> Result {
    let primary = setup.primary(&FORMATS, Ok(Layer))?;
    let cursor = setup.primary(&FORMATS, Ok(Layer))?; //~ WRONG
    //= let cursor = setup.cursor(&FORMATS, (64, 64), Ok(Layer))?;
    setup.crtc(primary, Some(cursor), Ok(Screen))?;
    Ok(())
}
