// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A probe returns a device that another probe made ready.
//!
//! Two probes have two lifetimes, and both are invariant: a device is registered under the parent it was made for (L4).

include!("../driver.rs");

fn swap<'first, 'second>(
    first: Ready<'first, Mini>,
    second: Ready<'second, Mini>,
) -> Result<(Ready<'first, Mini>, Ready<'second, Mini>)> {
    Ok((second, first)) //~ WRONG
    //= Ok((first, second))
}
