// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A step keeps the object that it maps.
//!
//! The mapping keeps the object, not the driver's tables; a counted reference would do it.

include!("../driver.rs");

fn keep(new: &Mapping<'_, MiniSpace>, kept: &mut KVec<&'static Object>) -> Result { //~ WRONG
//= fn keep(new: &Mapping<'_, MiniSpace>, kept: &mut KVec<ARef<Object>>) -> Result {
    if let Some(object) = new.object() {
        kept.push(object.into(), GFP_KERNEL)?;
    }
    Ok(())
}
