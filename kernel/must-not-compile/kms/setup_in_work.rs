// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Objects are created later, by work that the set-up queues.
//!
//! A client may already use the device then (L1).

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>) -> Result {
    setup.device().queue_work(move |_| drop(objects(setup))) //~ WRONG
    //= objects(setup)
}
