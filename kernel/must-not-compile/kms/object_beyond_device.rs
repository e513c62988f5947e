// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A connector is returned beyond its device.
//!
//! The device frees it (K4).

include!("../driver.rs");
include!("../display.rs");

fn monitor(
    dev: &Device<Display, Init>,
    key: Key<Connector<Monitor>>,
) -> Result<&'static Connector<Monitor>> { //~ WRONG
//= ) -> Result<&Connector<Monitor>> {
    dev.get(key)
}
