// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A hook's access to the hardware is used by work that runs later.
//!
//! The device may be unplugged by then. Work enters for itself (L6).

include!("../driver.rs");
include!("../display.rs");

fn later(hw: &Hw<'_, Display>) -> Result {
    hw.queue_work(move |_| dev_info!(hw.parent(), "later\n")) //~ WRONG
    //= hw.queue_work(|dev| drop(dev.enter(|plugged| dev_info!(plugged.parent(), "later\n"))))
}
