// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A request is executed without locking the address space.

include!("../driver.rs");

fn map(vm: &Vm<MiniSpace>, request: Map<MiniSpace>) -> Result {
    vm.map(request, &mut ()).into_result() //~ WRONG
//=     vm.lock(|vm| vm.map(request, &mut ())).into_result()
}
