// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A device is taken for one whose mode-setting objects exist.

include!("../driver.rs");

fn frozen(dev: &Device<Mini, Uninit>) -> &Device<Mini, Init> { //~ WRONG
//= fn frozen(dev: &Device<Mini, Init>) -> &Device<Mini, Uninit> {
    dev
}
