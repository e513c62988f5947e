// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver without mode setting asks for the objects of its set-up.
//!
//! `Device::objects` returns what `init_kms` stored, which this driver never calls.

include!("../driver.rs");

fn handler(dev: &Plugged<'_, Mini>) {
    dev.objects(); //~ WRONG
    //= dev.name();
}
