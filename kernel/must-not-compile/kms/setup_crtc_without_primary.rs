// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A CRTC is created without a primary plane.
//!
//! Legacy clients set a mode by way of the primary plane, so each CRTC has one (K1).

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>) -> Result {
    setup.crtc(None, None, Ok(Screen))?; //~ WRONG
    //= setup.crtc(setup.primary(&FORMATS, Ok(Layer))?, None, Ok(Screen))?;
    Ok(())
}
