// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The rights of a probe are used from another thread.

include!("../driver.rs");

fn run(_: impl FnOnce() + Send) {}

fn elsewhere(cx: &platform::Probe<'_>) {
    //= let cx = cx.parent();
    run(|| drop(cx)); //~ WRONG
    //= run(|| drop(cx));
}
