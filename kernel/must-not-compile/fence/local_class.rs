// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A class of fences is a local variable.
//!
//! Its fences point to it for as long as they are not signalled (L19).

include!("../driver.rs");

fn issue() -> Result<Signaler> {
    let class = fence::Class::new::<LocalModule>(c"mini", c"queue"); //~ WRONG
    //= static class: fence::Class = fence::Class::new::<LocalModule>(c"mini", c"queue");
    class.issue(None)
}
