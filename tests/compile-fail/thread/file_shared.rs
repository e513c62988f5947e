// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A file is shared with another thread.
//!
//! It is good during the callback that it was given to.

include!("../driver.rs");

fn run(_: impl FnOnce() + Send) {}

fn elsewhere(file: &File<Client>) {
    //= let file: &Client = file;
    run(|| drop(file)); //~ WRONG
    //= run(|| drop(file));
}
