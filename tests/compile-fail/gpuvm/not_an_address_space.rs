// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What says nothing about steps is taken for an address space.

include!("../driver.rs");

fn make(dev: &Device<Mini>, data: Client) -> Result { //~ WRONG
//= fn make(dev: &Device<Mini>, data: MiniSpace) -> Result {
    let layout = Layout::new(VaRange::new(0, 1 << 32)?);
    Owner::new(dev, c"mini", layout, Ok(data), 0)?;
    Ok(())
}
