// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A parent lends its child a type of its own.
//!
//! The compiler cannot see what a type may keep, and the child's module does not know this type (L15).

include!("../driver.rs");

struct Memory {
    size: u64,
}
type Lent = kernel::types::CovariantForLt!(Memory);
type Number = kernel::types::CovariantForLt!(u64);

fn probe(cx: &platform::Probe<'_>) -> Result {
    let memory = Memory { size: 1 << 30 };
    cx.add_auxiliary::<crate::LocalModule, Lent>(c"part", 0, Ok(memory)) //~ WRONG
    //= cx.add_auxiliary::<crate::LocalModule, Number>(c"part", 0, Ok(memory.size))
}
