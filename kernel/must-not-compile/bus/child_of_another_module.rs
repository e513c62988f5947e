// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A parent makes a child under the name of another module.
//!
//! C's drivers choose devices by that name, and would take this one for that module's larger structure (L20, L26).

include!("../driver.rs");

struct Stranger;

impl kernel::ModuleMetadata for Stranger {
    const NAME: &'static CStr = c"mlx5_core";
    const THIS_MODULE: ThisModule = <LocalModule as kernel::ModuleMetadata>::THIS_MODULE;
}

type Number = kernel::types::CovariantForLt!(u64);

fn probe(cx: &platform::Probe<'_>) -> Result {
    cx.add_auxiliary::<Stranger, Number>(c"rdma", 0, Ok(42)) //~ WRONG
    //= cx.add_auxiliary::<LocalModule, Number>(c"rdma", 0, Ok(42))
}
