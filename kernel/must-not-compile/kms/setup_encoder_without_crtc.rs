// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An encoder is created that no CRTC can use.
//!
//! The first CRTC is an argument of its own, so that the mask of CRTCs is not empty (K1).

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>) -> Result {
    let screen = setup.crtc(setup.primary(&FORMATS, Ok(Layer))?, None, Ok(Screen))?;
    setup.encoder(EncoderType::VIRTUAL, &[])?; //~ WRONG
    //= setup.encoder(EncoderType::VIRTUAL, screen, &[])?;
    Ok(())
}
