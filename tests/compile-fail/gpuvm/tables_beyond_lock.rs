// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The tables are used when the address space is not locked any more.

include!("../driver.rs");

fn pages(vm: &Vm<MiniSpace>) -> u64 {
    *vm.lock(|vm| vm.tables()) //~ WRONG
//=     vm.lock(|vm| *vm.tables())
}
