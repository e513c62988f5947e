// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The set-up returns keys, and the driver has not declared `Objects`.
//!
//! `type Objects` is what the set-up returns; `Device::objects` gives it back later.

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>) -> Result<Key<Crtc<Screen>>> {
    setup.crtc(setup.primary(&FORMATS, Ok(Layer))?, None, Ok(Screen))
}

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result {
    UnregisteredDevice::<Display>::new(cx, Ok(()))?.init_kms(set_up)?; //~ WRONG
    //= UnregisteredDevice::<Display>::new(cx, Ok(()))?.init_kms(|setup| set_up(setup).map(drop))?;
    Ok(())
}
