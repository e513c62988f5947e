// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The value that the adapter registers is built by hand.
//!
//! Only `UnregisteredDevice::ready` makes it, so a device that was registered before cannot be in it (L1).

include!("../driver.rs");

fn again(dev: ARef<Device<Mini>>, hardware: Pin<KBox<Hardware<'static>>>) {
    let ready = Ready::<Mini> { dev, data: hardware }; //~ WRONG
}
