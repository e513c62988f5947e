// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A guard is built by hand.

include!("../driver.rs");

fn forge<'g>(dev: &'g Device<Mini, Registered>) {
    let plugged = Plugged { dev }; //~ WRONG
}
