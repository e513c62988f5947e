// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Two CRTCs share one primary plane.
//!
//! A primary plane moves into its CRTC: C only warns about a second one (K1).

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>) -> Result {
    let primary = setup.primary(&FORMATS, Ok(Layer))?;
    let left = setup.crtc(primary, None, Ok(Screen))?;
    let right = setup.crtc(primary, None, Ok(Screen))?; //~ WRONG
    //= let right = setup.crtc(setup.primary(&FORMATS, Ok(Layer))?, None, Ok(Screen))?;
    Ok(())
}
