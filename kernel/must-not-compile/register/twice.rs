// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A device is registered twice.
//!
//! `ready` takes the device by value, and what it returns is registered by the bus adapter (L1).

include!("../driver.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Mini>> {
    let dev = UnregisteredDevice::<Mini>::new(cx, Ok(()))?;
    let ready = dev.ready(Hardware::new(cx))?;
    dev.ready(Hardware::new(cx)) //~ WRONG
    //= Ok(ready)
}
