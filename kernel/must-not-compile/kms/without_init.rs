// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver with mode setting makes its device ready without `init_kms`.
//!
//! Its static mode-setting objects must exist before userspace can see the device (L1).

include!("../driver.rs");
include!("../display.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Display>> {
    let dev = UnregisteredDevice::<Display>::new(cx, Ok(()))?;
    dev.ready(Ok::<_, Error>(())) //~ WRONG
    //= dev.init_kms(objects)?.ready(Ok::<_, Error>(()))
}
