// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A parent lends its child a place for a closure.
//!
//! The child could store its own code there, and the parent would call it after the child's module is unloaded (L15).

include!("../driver.rs");

use kernel::sync::{new_mutex, Arc, Mutex};

type Place<T> = Arc<Mutex<T>>;
type Lent = kernel::types::CovariantForLt!(Place<Option<KBox<dyn FnOnce() + Send>>>);
type Number = kernel::types::CovariantForLt!(Place<Option<u64>>);

fn probe(cx: &platform::Probe<'_>) -> Result {
    let place = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;
    cx.add_auxiliary::<crate::LocalModule, Lent>(c"part", 0, Ok(place)) //~ WRONG
    //= cx.add_auxiliary::<crate::LocalModule, Number>(c"part", 0, Ok(place))
}
