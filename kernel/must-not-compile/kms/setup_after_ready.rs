// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Mode setting is initialised after the device was made ready.
//!
//! Making it ready takes the device. Objects that come later, clients would not see (L1).

include!("../driver.rs");
include!("../display.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Display>> {
    let dev = UnregisteredDevice::<Display>::new(cx, Ok(()))?.init_kms(objects)?;
    let ready = dev.ready(Ok::<_, Error>(()))?;
    dev.init_kms(objects)?; //~ WRONG
    Ok(ready)
}
