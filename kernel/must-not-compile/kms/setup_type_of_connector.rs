// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An encoder is given the type of a connector.
//!
//! Both types are numbers in C, and the numbers differ: 5 is a virtual encoder, and a composite connector.

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>) -> Result {
    let screen = setup.crtc(setup.primary(&FORMATS, Ok(Layer))?, None, Ok(Screen))?;
    setup.encoder(ConnectorType::VIRTUAL, screen, &[])?; //~ WRONG
    //= setup.encoder(EncoderType::VIRTUAL, screen, &[])?;
    Ok(())
}
