// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A request is carried out twice.
//!
//! The memory that was set aside for it is used up by the first time.

include!("../driver.rs");

fn map(vm: &Vm<MiniSpace>, request: Map<MiniSpace>) -> Result {
    vm.lock(|vm| {
        let first = vm.map(request, &mut ());
        let second = vm.map(request, &mut ()); //~ WRONG
        Ok(())
    })
}
