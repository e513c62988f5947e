// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A hotplug is reported in probe.
//!
//! The device is not registered, so no client could be told (K25).

include!("../driver.rs");
include!("../display.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>, key: Key<Connector<Monitor>>) -> Result<Ready<'bound, Display>> {
    let dev = UnregisteredDevice::<Display>::new(cx, Ok(()))?.init_kms(objects)?;
    dev.hotplug(key)?; //~ WRONG
    dev.ready(Ok::<_, Error>(()))
}
