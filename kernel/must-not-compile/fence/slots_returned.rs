// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Room for fences outlives the lock.

include!("../driver.rs");

fn keep(resv: &Resv) {
    let slots = resv.lock(|locked| locked.reserve(1)); //~ WRONG
    //= let slots = resv.lock(|locked| locked.reserve(1).is_ok());
}
