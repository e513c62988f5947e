// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer is built by hand.

include!("../driver.rs");

fn make(payload: Buffer) {
    let obj = gem::shmem::Object { payload }; //~ WRONG
}
