// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A mapping is looked at when the address space is not locked any more.
//!
//! It may be gone by then.

include!("../driver.rs");

fn find(vm: &Vm<MiniSpace>, range: VaRange) -> u64 {
    let found = vm.lock(|vm| vm.find(range)); //~ WRONG
//=     let found = vm.lock(|vm| vm.find(range).map(|found| found.range()));
    0
}
