// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer is mapped for DMA outside of `enter`.
//!
//! The mapping belongs to the parent and is undone before the parent is unbound (L5).

include!("../driver.rs");

fn map(dev: &Device<Mini>, obj: &Object) -> Result {
    obj.sg_table(dev)?; //~ WRONG
    //= dev.enter(|plugged| obj.sg_table(&plugged).map(|_| ())).unwrap_or(Err(ENODEV))?;
    Ok(())
}
