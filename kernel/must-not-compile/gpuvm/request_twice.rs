// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A request is executed twice.
//!
//! The first time uses up the memory that was allocated for it.

include!("../driver.rs");

fn map(vm: &Vm<MiniSpace>, request: Map<MiniSpace>) -> Result {
    vm.lock(|vm| {
        let first = vm.map(request, &mut ());
        let second = vm.map(request, &mut ()); //~ WRONG
        Ok(())
    })
}
