// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What one probe made ready is returned by another.
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
