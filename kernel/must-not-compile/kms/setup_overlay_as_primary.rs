// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An overlay plane is used as the primary plane of another CRTC.

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>) -> Result {
    let left = setup.crtc(setup.primary(&FORMATS, Ok(Layer))?, None, Ok(Screen))?;
    let spare = setup.overlay(&FORMATS, left, &[], Ok(Layer))?; //~ WRONG
    //= let spare = setup.primary(&FORMATS, Ok(Layer))?;
    setup.crtc(spare, None, Ok(Screen))?;
    Ok(())
}
