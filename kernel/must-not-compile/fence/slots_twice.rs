// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Room is reserved twice at a time.
//!
//! The second reservation replaces the first, and C stops the machine for a fence without room.

include!("../driver.rs");

fn add(resv: &Resv, fence: &Fence) -> Result {
    resv.lock(|locked| {
        let mut first = locked.reserve(1)?;
        let mut second = locked.reserve(1)?; //~ WRONG
        first.add(fence, Usage::Write)
    })
}
