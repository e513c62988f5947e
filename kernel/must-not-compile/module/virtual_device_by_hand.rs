// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A virtual device is made for a driver that is not registered.
//!
//! A C driver of its name may get the device, and take it for one that C made (L20).

include!("../driver.rs");

fn device() -> Result {
    platform::VirtualDevices::new::<Mini, drm::bus::Drm>(c"mini", 1).map(drop) //~ WRONG
    //= Ok(())
}
