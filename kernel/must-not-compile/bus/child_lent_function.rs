// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A parent lends its child a function that takes a closure.
//!
//! The parent could keep the closure, whose code is the child's (L15).

include!("../driver.rs");

type Lent = kernel::types::CovariantForLt!(fn(KBox<dyn FnOnce() + Send>));
type Number = kernel::types::CovariantForLt!(u64);

fn keep(_: KBox<dyn FnOnce() + Send>) {}

fn probe(cx: &platform::Probe<'_>) -> Result {
    cx.add_auxiliary::<crate::LocalModule, Lent>(c"part", 0, Ok(keep)) //~ WRONG
    //= cx.add_auxiliary::<crate::LocalModule, Number>(c"part", 0, Ok(42))
}
