// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A fence's class names a module that is none.
//!
//! The module is kept loaded for the fence's names and end (L15, L19).

include!("../driver.rs");

struct Stranger;

impl kernel::ModuleMetadata for Stranger {
    const NAME: &'static CStr = c"stranger";
    const THIS_MODULE: ThisModule = <LocalModule as kernel::ModuleMetadata>::THIS_MODULE;
}

static FENCES: fence::Class = fence::Class::new::<Stranger>(c"mini", c"queue"); //~ WRONG
//= static FENCES: fence::Class = fence::Class::new::<LocalModule>(c"mini", c"queue");
