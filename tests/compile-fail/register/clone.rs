// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The unregistered device is cloned, so that it could be registered twice.
//!
//! It is the only one that can register the device (L1); what can be shared is the device in it.

include!("../driver.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Mini>> {
    let dev = UnregisteredDevice::<Mini>::new(cx, Ok(()))?;
    let second: UnregisteredDevice<'bound, Mini> = dev.clone(); //~ WRONG
    //= let second: ARef<Device<Mini>> = (&*dev).into();
    dev.ready(Hardware::new(cx))
}
