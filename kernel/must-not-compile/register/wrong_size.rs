// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A device is allocated with the size of the wrong type.
//!
//! This was the oops in the review that Drydock starts from: the size of the owning wrapper instead of the device's. A
//! driver cannot pass a size at all: `UnregisteredDevice::new` takes none, and C's allocator is not accessible (L2).

include!("../driver.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<UnregisteredDevice<'bound, Mini>> {
    let size = size_of::<UnregisteredDevice<'_, Mini>>();
    UnregisteredDevice::new(cx, size, Ok(())) //~ WRONG
    //= UnregisteredDevice::new(cx, Ok(()))
}
