// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The set-up looks up an object that it has created.
//!
//! The object is not complete: its states come when all objects exist. So a key is good for a device in `Init` only.

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>) -> Result {
    let screen = setup.crtc(setup.primary(&FORMATS, Ok(Layer))?, None, Ok(Screen))?;
    let encoder = setup.encoder(EncoderType::VIRTUAL, screen, &[])?;
    dev_info!(setup.device(), "{}\n", setup.device().get(screen)?.device().name()); //~ WRONG
    //= dev_info!(setup.device(), "{}\n", setup.device().name());
    Ok(())
}
