// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Code that only has the fence signals it.
//!
//! Only the issuer's `Signaler` can.

include!("../driver.rs");

fn done(signaler: Signaler, fence: ARef<Fence>) {
    fence.signal(); //~ WRONG
    //= signaler.signal();
}
