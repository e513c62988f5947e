// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A device is built by hand.

include!("../driver.rs");

fn device() {
    let dev = Device::<Mini, Registered> { _ctx: core::marker::PhantomData }; //~ WRONG
}
