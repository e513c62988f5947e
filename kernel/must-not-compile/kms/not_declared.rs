// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver that declares no mode setting calls `init_kms`.

include!("../driver.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Mini>> {
    let dev = UnregisteredDevice::<Mini>::new(cx, Ok(()))?;
    dev.init_kms(|_| Ok(()))?.ready(Hardware::new(cx)) //~ WRONG
    //= dev.ready(Hardware::new(cx))
}
