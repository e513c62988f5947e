// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A range is built by hand, without a check.
//!
//! C computes with ranges without checks for overflows.

include!("../driver.rs");

fn range() -> Result<VaRange> {
    let range = VaRange { start: 8192, end: 4096 }; //~ WRONG
//=     let range = VaRange::new(4096, 4096)?;
    Ok(range)
}
