// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Each CRTC of a loop gets the same cursor plane.
//!
//! A cursor plane moves into its CRTC, as the primary plane does (K1).

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>) -> Result {
    let cursor = setup.cursor(&FORMATS, (64, 64), Ok(Layer))?;
    for _ in 0..2 {
        let primary = setup.primary(&FORMATS, Ok(Layer))?;
        setup.crtc(primary, Some(cursor), Ok(Screen))?; //~ WRONG
        //= setup.crtc(primary, None, Ok(Screen))?;
    }
    Ok(())
}
