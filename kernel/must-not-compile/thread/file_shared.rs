// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A file is shared with another thread.
//!
//! The reference is valid only during the callback that received it.

include!("../driver.rs");

fn run(_: impl FnOnce() + Send) {}

fn elsewhere(file: &File<Client>) {
    //= let file: &Client = file;
    run(|| drop(file)); //~ WRONG
    //= run(|| drop(file));
}
