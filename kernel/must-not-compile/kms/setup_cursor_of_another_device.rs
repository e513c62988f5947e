// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The cursor plane of one device goes into a CRTC of another.
//!
//! The lifetime of a `Setup` names one call of `init_kms`, so one device (K3).

include!("../driver.rs");
include!("../display.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result {
    let left = UnregisteredDevice::<Display>::new(cx, Ok(()))?;
    let right = UnregisteredDevice::<Display>::new(cx, Ok(()))?;
    left.init_kms(|left| {
        let cursor = left.cursor(&FORMATS, (64, 64), Ok(Layer))?;
        right.init_kms(|right| {
            let primary = right.primary(&FORMATS, Ok(Layer))?;
            right.crtc(primary, Some(cursor), Ok(Screen)).map(drop) //~ WRONG
            //= right.crtc(primary, None, Ok(Screen)).map(drop)
        })?;
        objects(left)
    })?;
    Ok(())
}
