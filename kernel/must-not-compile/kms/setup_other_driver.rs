// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A device is set up by the set-up function of another driver.

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Panel>) -> Result { //~ WRONG
//= fn set_up(setup: &Setup<'_, Display>) -> Result {
    setup.framebuffer_limits((1, 1), (4096, 4096))
}

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result {
    UnregisteredDevice::<Display>::new(cx, Ok(()))?.init_kms(|setup| set_up(setup))?;
    Ok(())
}
