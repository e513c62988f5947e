// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Tables belong to one thread.
//!
//! Any thread that locks the address space uses them.

include!("../driver.rs");

struct Threaded;

impl DriverVm for Threaded {
    type Driver = Mini;
    type Tables = *mut u8; //~ WRONG
//=     type Tables = usize;
    type Flags = ();
    type Context<'a> = ();

    fn map(_: &Vm<Self>, _: &mut Self::Tables, _: &Mapping<'_, Self>, _: &mut ()) {}
    fn unmap(_: &Vm<Self>, _: &mut Self::Tables, _: VaRange, _: &mut ()) {}
    fn clear(_: &Vm<Self>, _: &mut Self::Tables) {}
}
