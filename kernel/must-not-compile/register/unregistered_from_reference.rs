// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver calls the crate's own function to make an unregistered device.
//!
//! It asserts that the device was never registered, which only the crate can know (L1).

include!("../driver.rs");

fn again(dev: ARef<Device<Mini>>) {
    let dev: UnregisteredDevice<'_, Mini> = UnregisteredDevice::from_new(dev); //~ WRONG
}
