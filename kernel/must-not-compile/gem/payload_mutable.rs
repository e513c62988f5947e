// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer's payload is changed without a lock.
//!
//! Clients and work share a buffer, so changes need a lock or an atomic.

include!("../driver.rs");

fn change(obj: ARef<Object>) {
    obj.number = 1; //~ WRONG
    //= let _ = obj.number == 1;
}
