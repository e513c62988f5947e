// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A value of a context is made.
//!
//! Contexts have no values; there is nothing to forge.

include!("../driver.rs");

fn forge() {
    let registered = Registered; //~ WRONG
    //= let registered = core::marker::PhantomData::<Registered>;
}
