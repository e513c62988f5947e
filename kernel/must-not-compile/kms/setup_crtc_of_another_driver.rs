// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An encoder is created for a CRTC of another driver.
//!
//! A key names the class of its object, and so the driver.

include!("../driver.rs");
include!("../display.rs");

fn set_up(
    setup: &Setup<'_, Display>,
    screen: Key<Crtc<PanelScreen>>, //~ WRONG
    //= screen: Key<Crtc<Screen>>,
) -> Result {
    setup.encoder(EncoderType::VIRTUAL, screen, &[])?;
    Ok(())
}
