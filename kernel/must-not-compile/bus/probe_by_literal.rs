// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A probe is built by hand.

include!("../driver.rs");

fn forge(pdev: &kernel::platform::Device<kernel::device::Bound>) {
    let cx = platform::Probe { device: pdev }; //~ WRONG
}
