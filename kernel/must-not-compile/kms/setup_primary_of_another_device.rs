// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The primary plane of one device goes into a CRTC of another.
//!
//! The lifetime of a `Setup` names one call of `init_kms`, so one device (K3).

include!("../driver.rs");
include!("../display.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result {
    let left = UnregisteredDevice::<Display>::new(cx, Ok(()))?;
    let right = UnregisteredDevice::<Display>::new(cx, Ok(()))?;
    left.init_kms(|left| {
        let primary = left.primary(&FORMATS, Ok(Layer))?;
        right.init_kms(|right| right.crtc(primary, None, Ok(Screen)).map(drop))?; //~ WRONG
        //= left.crtc(primary, None, Ok(Screen))?;
        Ok(())
    })?;
    Ok(())
}
