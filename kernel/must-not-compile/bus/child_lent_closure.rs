// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A parent lends its child a closure.
//!
//! Its code is the parent's, and the child could call it after the parent's module is unloaded (L15).

include!("../driver.rs");

type Lent = kernel::types::CovariantForLt!(kernel::sync::Arc<dyn Fn() + Send + Sync>);
type Number = kernel::types::CovariantForLt!(kernel::sync::Arc<u64>);

fn probe(cx: &platform::Probe<'_>, lent: kernel::sync::Arc<dyn Fn() + Send + Sync>) -> Result {
    cx.add_auxiliary::<crate::LocalModule, Lent>(c"part", 0, Ok(lent)) //~ WRONG
    //= cx.add_auxiliary::<crate::LocalModule, Number>(c"part", 0, Ok(kernel::sync::Arc::new(42, GFP_KERNEL)?))
}
