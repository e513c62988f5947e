// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver makes a value of a context.
//!
//! Contexts have no values, so there is nothing to forge.

include!("../driver.rs");

fn forge() {
    let registered = Registered; //~ WRONG
    //= let registered = core::marker::PhantomData::<Registered>;
}
