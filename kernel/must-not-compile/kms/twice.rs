// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `init_kms` is called twice.
//!
//! It takes the device in `Uninit` and returns it in `Init`, in which the objects are frozen.

include!("../driver.rs");
include!("../display.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Display>> {
    let dev = UnregisteredDevice::<Display>::new(cx, Ok(()))?.init_kms(objects)?;
    dev.init_kms(objects)?.ready(Ok::<_, Error>(())) //~ WRONG
    //= dev.ready(Ok::<_, Error>(()))
}
