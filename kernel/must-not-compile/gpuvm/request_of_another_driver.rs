// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A request for an address space of another driver is executed.

include!("../driver.rs");

fn map(vm: &Vm<MiniSpace>, request: Map<OtherSpace>) -> Result { //~ WRONG
//= fn map(vm: &Vm<MiniSpace>, request: Map<MiniSpace>) -> Result {
    vm.lock(|vm| vm.map(request, &mut ())).into_result()
}
