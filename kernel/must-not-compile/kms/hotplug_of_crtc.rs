// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A hotplug is reported for a CRTC.
//!
//! Displays are attached to connectors.

include!("../driver.rs");
include!("../display.rs");

fn interrupt(
    dev: &Plugged<'_, Display>,
    key: Key<Crtc<Screen>>, //~ WRONG
    //= key: Key<Connector<Monitor>>,
) -> Result {
    dev.hotplug(key)
}
