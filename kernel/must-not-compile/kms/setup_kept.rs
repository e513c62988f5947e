// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The permission to create mode-setting objects is kept.

include!("../driver.rs");
include!("../display.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result {
    let mut kept = None;
    UnregisteredDevice::<Display>::new(cx, Ok(()))?.init_kms(|setup| {
        kept = Some(setup); //~ WRONG
        //= kept = Some(setup.framebuffer_limits((0, 0), (4096, 4096)));
        Ok(())
    })?;
    Ok(())
}
