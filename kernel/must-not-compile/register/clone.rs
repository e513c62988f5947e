// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The unregistered device is cloned, so that it could be registered twice.
//!
//! Only this value can register the device (L1); the device in it can be shared.

include!("../driver.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Mini>> {
    let dev = UnregisteredDevice::<Mini>::new(cx, Ok(()))?;
    let second: UnregisteredDevice<'bound, Mini> = dev.clone(); //~ WRONG
    //= let second: ARef<Device<Mini>> = (&*dev).into();
    dev.ready(Hardware::new(cx))
}
