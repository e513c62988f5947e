// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A fence is signalled twice.

include!("../driver.rs");

fn done(signaler: Signaler) {
    signaler.signal();
    signaler.signal(); //~ WRONG
}
