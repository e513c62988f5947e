// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A device with frozen mode-setting objects is taken for a registered one.

include!("../driver.rs");

fn registered(dev: &Device<Mini, Init>) -> &Device<Mini, Registered> { //~ WRONG
//= fn registered(dev: &Device<Mini, Registered>) -> &Device<Mini, Init> {
    dev
}
