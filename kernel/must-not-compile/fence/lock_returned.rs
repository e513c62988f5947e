// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The lock of a reservation object leaves its scope.
//!
//! If the lock were forgotten, the object would stay locked forever.

include!("../driver.rs");

fn keep(resv: &Resv) {
    let locked = resv.lock(|locked| locked); //~ WRONG
    //= let locked = resv.lock(|locked| locked.is_signaled(Usage::Read));
}
