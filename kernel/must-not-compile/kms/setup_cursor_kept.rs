// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A cursor plane is kept beyond the set-up.
//!
//! The planes of a device are complete when its set-up returns. The lifetime of a `Setup` names one call (K1).

include!("../driver.rs");
include!("../display.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result {
    let dev = UnregisteredDevice::<Display>::new(cx, Ok(()))?;
    let mut kept = None;
    dev.init_kms(|setup| {
        kept = Some(setup.cursor(&FORMATS, (64, 64), Ok(Layer))?); //~ WRONG
        //= kept = Some(setup.cursor(&FORMATS, (64, 64), Ok(Layer)).is_ok());
        objects(setup)
    })
    .map(drop)
}
