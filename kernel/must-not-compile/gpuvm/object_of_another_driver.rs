// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Another driver's object is mapped.
//!
//! The address space's steps would take it for one of this driver's objects (L9).

include!("../driver.rs");

fn map(vm: &Vm<MiniSpace>, object: &OtherObject, range: VaRange) -> Result<Map<MiniSpace>> { //~ WRONG
//= fn map(vm: &Vm<MiniSpace>, object: &Object, range: VaRange) -> Result<Map<MiniSpace>> {
    Map::new(vm, range, object, 0, true)
}
