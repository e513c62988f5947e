// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A set-up function requires a `Setup` that lives forever.
//!
//! It must work for every lifetime, because the lifetime names one call.

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'static, Display>) -> Result { //~ WRONG
//= fn set_up(setup: &Setup<'_, Display>) -> Result {
    objects(setup)
}

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result {
    UnregisteredDevice::<Display>::new(cx, Ok(()))?.init_kms(set_up)?;
    Ok(())
}
