// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A counted reference is taken for a registered device.
//!
//! A stronger context dereferences to a weaker one, never back.

include!("../driver.rs");

fn registered(dev: &ARef<Device<Mini>>) -> &Device<Mini, Registered> { //~ WRONG
//= fn registered(dev: &ARef<Device<Mini>>) -> &Device<Mini, Uninit> {
    dev
}
