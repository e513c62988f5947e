// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The right to register is made from a counted reference.
//!
//! A device with references cannot prove that it was never registered; only the value that `new` returns can (L1).

include!("../driver.rs");

fn again(dev: ARef<Device<Mini>>) {
    let dev = UnregisteredDevice::<Mini> { dev }; //~ WRONG
    //= let dev: &Device<Mini> = &dev;
}
