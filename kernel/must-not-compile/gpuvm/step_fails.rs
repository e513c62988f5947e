// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A step reports a failure.
//!
//! Everything that can fail is done when the request is made, so a request is executed as a whole or not at all.

include!("../driver.rs");

struct Failing;

impl DriverVm for Failing {
    type Driver = Mini;
    type Tables = ();
    type Flags = ();
    type Context<'a> = ();

    fn map(_: &Vm<Self>, _: &mut (), _: &Mapping<'_, Self>, _: &mut ()) -> Result { Ok(()) } //~ WRONG
//=     fn map(_: &Vm<Self>, _: &mut (), _: &Mapping<'_, Self>, _: &mut ()) {}
    fn unmap(_: &Vm<Self>, _: &mut (), _: VaRange, _: &mut ()) {}
    fn clear(_: &Vm<Self>, _: &mut ()) {}
}
