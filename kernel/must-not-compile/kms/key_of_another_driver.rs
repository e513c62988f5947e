// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A device looks up a plane of another driver.

include!("../driver.rs");
include!("../display.rs");

fn find(
    dev: &Device<Display, Init>,
    key: Key<Plane<PanelLayer>>, //~ WRONG
    //= key: Key<Plane<Layer>>,
) -> Result {
    dev.get(key)?;
    Ok(())
}
