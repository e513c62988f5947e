// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A child's driver keeps its parent's data forever.
//!
//! The data is the parent's, and is dropped after the child; a kept reference could be used after that.

include!("../driver.rs");

static KEPT: SetOnce<&'static u64> = SetOnce::new();

fn probe(cx: &drm::auxiliary::Probe<'_>) -> Result {
    let memory = cx.parent_data::<kernel::types::CovariantForLt!(u64)>()?;
    KEPT.populate(memory); //~ WRONG
    //= drop(memory);
    Ok(())
}
