// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An address space is made on another driver's device.

include!("../driver.rs");

fn make(dev: &Device<Other>) -> Result<Owner<MiniSpace>> { //~ WRONG
//= fn make(dev: &Device<Mini>) -> Result<Owner<MiniSpace>> {
    let layout = Layout::new(VaRange::new(0, 1 << 32)?);
    Owner::<MiniSpace>::new(dev, c"mini", layout, Ok(MiniSpace), 0)
}
