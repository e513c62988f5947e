// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A range is written down without being checked.
//!
//! C computes with ranges without looking for overflows.

include!("../driver.rs");

fn range() -> Result<VaRange> {
    let range = VaRange { start: 8192, end: 4096 }; //~ WRONG
//=     let range = VaRange::new(4096, 4096)?;
    Ok(range)
}
