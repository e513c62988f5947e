// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A CRTC is moved out of its place.
//!
//! C has pointers to it (K4).

include!("../driver.rs");
include!("../display.rs");

fn take(dev: &Device<Display, Init>, key: Key<Crtc<Screen>>) -> Result {
    let screen = *dev.get(key)?; //~ WRONG
    //= let screen = dev.get(key)?;
    Ok(())
}
