// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A primary plane is kept beyond the set-up.
//!
//! Once the set-up has returned, the objects of the device are frozen (L1).

include!("../driver.rs");
include!("../display.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result {
    let mut kept = None;
    UnregisteredDevice::<Display>::new(cx, Ok(()))?.init_kms(|setup| {
        let primary = setup.primary(&FORMATS, Ok(Layer))?;
        kept = Some(primary); //~ WRONG
        //= kept = Some(setup.crtc(primary, None, Ok(Screen))?);
        Ok(())
    })?;
    Ok(())
}
