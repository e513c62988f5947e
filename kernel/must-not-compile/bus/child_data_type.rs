// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A child's driver takes its parent's data for another type.
//!
//! The type is named once, and checked against the type that the parent lent; there is no cast after it.

include!("../driver.rs");

fn probe(cx: &drm::auxiliary::Probe<'_>) -> Result {
    let memory: &u64 = cx.parent_data::<kernel::types::CovariantForLt!(u32)>()?; //~ WRONG
    //= let memory: &u64 = cx.parent_data::<kernel::types::CovariantForLt!(u64)>()?;
    let _ = memory;
    Ok(())
}
