// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The bound parent is kept in a static.
//!
//! It is bound until the device is unbound, not for ever.

include!("../driver.rs");

static PARENT: SetOnce<&'static Parent> = SetOnce::new();

fn keep(cx: &platform::Probe<'_>) {
    PARENT.populate(cx.parent()); //~ WRONG
    //= drop(cx.parent());
}
