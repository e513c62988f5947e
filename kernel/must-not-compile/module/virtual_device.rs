// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A virtual device is made from nothing.

include!("../driver.rs");

fn device() -> Result<platform::VirtualDevice> {
    Ok(platform::VirtualDevice(core::ptr::NonNull::dangling())) //~ WRONG
    //= Err(ENODEV)
}
