// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Registration data borrows a variable of the probe.
//!
//! The data lives until the device is unbound, long after the probe has returned; it may borrow for `'bound` only (L7).

include!("../driver.rs");

driver!(Third, &'bound Parent, ThirdClient, ThirdBuffer, drm::NoKms, ioctl::Table::empty());

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Third>> {
    let dev = UnregisteredDevice::<Third>::new(cx, Ok(()))?;
    let parent: ARef<kernel::device::Device> = cx.parent().into();
    dev.ready(Ok::<&Parent, Error>(local(&parent))) //~ WRONG
    //= dev.ready(Ok::<&Parent, Error>(cx.parent()))
}

fn local(_: &kernel::device::Device) -> &Parent {
    unimplemented!()
}
