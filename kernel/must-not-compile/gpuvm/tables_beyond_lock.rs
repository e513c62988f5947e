// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The tables are used after the address space was unlocked.

include!("../driver.rs");

fn pages(vm: &Vm<MiniSpace>) -> u64 {
    *vm.lock(|vm| vm.tables()) //~ WRONG
//=     vm.lock(|vm| *vm.tables())
}
