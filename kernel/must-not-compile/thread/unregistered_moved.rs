// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The unregistered device is moved to another thread.
//!
//! The C initialisation of a device is single-threaded (L15).

include!("../driver.rs");

fn run(_: impl FnOnce() + Send) {}

fn elsewhere(dev: UnregisteredDevice<'_, Mini>) {
    run(move || drop(dev)); //~ WRONG
    //= run(|| drop(()));
}
