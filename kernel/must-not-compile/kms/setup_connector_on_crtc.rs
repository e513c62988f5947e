// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A connector is attached to a CRTC.
//!
//! A connector is driven by encoders. The encoder says which CRTCs can use it.

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>) -> Result {
    let screen = setup.crtc(setup.primary(&FORMATS, Ok(Layer))?, None, Ok(Screen))?;
    let encoder = setup.encoder(EncoderType::VIRTUAL, screen, &[])?;
    setup.connector(ConnectorType::VIRTUAL, screen, &[], Ok(Monitor))?; //~ WRONG
    //= setup.connector(ConnectorType::VIRTUAL, encoder, &[], Ok(Monitor))?;
    Ok(())
}
