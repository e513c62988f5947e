// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A parent lends its child data in which the child can store a borrow of that data.
//!
//! The drop of the data would follow the stored borrow (L8).

include!("../driver.rs");

struct Lent<'a> {
    word: KBox<u64>,
    look: SetOnce<&'a Lent<'a>>,
}
type Cyclic = kernel::types::ForLt!(for<'a> Lent<'a>);
type Number = kernel::types::CovariantForLt!(u64);

fn probe(cx: &platform::Probe<'_>, lent: Lent<'static>) -> Result {
    cx.add_auxiliary::<crate::LocalModule, Cyclic>(c"part", 0, Ok(lent)) //~ WRONG
    //= cx.add_auxiliary::<crate::LocalModule, Number>(c"part", 0, Ok(*lent.word))
}
