// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A mapping is used after the address space was unlocked.
//!
//! The mapping may be gone.

include!("../driver.rs");

fn find(vm: &Vm<MiniSpace>, range: VaRange) -> u64 {
    let found = vm.lock(|vm| vm.find(range)); //~ WRONG
//=     let found = vm.lock(|vm| vm.find(range).map(|found| found.range()));
    0
}
