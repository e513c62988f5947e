// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A parent lends its child a variable that is dropped at the end of the probe.
//!
//! The child exists for as long as the parent is bound.

include!("../driver.rs");

fn probe(cx: &platform::Probe<'_>) -> Result {
    let memory = 42;
    type Lent = kernel::types::CovariantForLt!(&'_ u64);
    cx.add_auxiliary::<crate::LocalModule, Lent>(c"part", 0, Ok(&memory)) //~ WRONG
    //= cx.add_auxiliary::<crate::LocalModule, Lent>(c"part", memory, Ok(&42))
}
