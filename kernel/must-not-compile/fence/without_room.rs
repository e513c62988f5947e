// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A fence is added without room for it.

include!("../driver.rs");

fn add(resv: &Resv, fence: &Fence) -> Result {
    resv.lock(|locked| locked.add(fence, Usage::Write)) //~ WRONG
    //= resv.lock(|locked| locked.reserve(1)?.add(fence, Usage::Write))
}
