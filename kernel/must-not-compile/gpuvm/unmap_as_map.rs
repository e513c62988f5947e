// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A request to unmap is executed as one to map.

include!("../driver.rs");

fn map(vm: &Vm<MiniSpace>, request: Unmap<MiniSpace>) -> Result { //~ WRONG
//= fn map(vm: &Vm<MiniSpace>, request: Map<MiniSpace>) -> Result {
    vm.lock(|vm| vm.map(request, &mut ())).into_result()
}
