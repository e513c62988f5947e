// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A counted reference claims more than a counted reference can.
//!
//! It outlives every moment, so it knows only what holds forever: `ARef<Device<T>>`, in the context `Uninit`.

include!("../driver.rs");

struct Kept {
    dev: ARef<Device<Mini, Registered>>, //~ WRONG
    //= dev: ARef<Device<Mini>>,
}
