// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A virtual device is made from nothing.

include!("../driver.rs");

fn device() -> Result<platform::VirtualDevices> {
    Ok(platform::VirtualDevices(KVec::new())) //~ WRONG
                                              //= Err(ENODEV)
}
