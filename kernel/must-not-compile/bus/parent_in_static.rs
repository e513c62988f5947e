// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver keeps the bound parent in a static.
//!
//! The parent is bound until the device is unbound, not forever.

include!("../driver.rs");

static PARENT: SetOnce<&'static Parent> = SetOnce::new();

fn keep(cx: &platform::Probe<'_>) {
    PARENT.populate(cx.parent()); //~ WRONG
    //= drop(cx.parent());
}
