// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer without memory is mapped for DMA.

include!("../driver.rs");

fn map(obj: &gem::Object<Buffer>, plugged: &Plugged<'_, Mini>) { //~ WRONG
//= fn map(obj: &gem::shmem::Object<Buffer>, plugged: &Plugged<'_, Mini>) {
    let _ = obj.sg_table(plugged);
}
