// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver adds a mode that it made up.
//!
//! Modes come from the EDID or from C's list, with consistent timings (K19).

include!("../driver.rs");
include!("../display.rs");

fn modes(connector: &Connector<Monitor>, modes: &mut Modes<'_>) -> Result {
    modes.add(1024, 768) //~ WRONG
    //= modes.common((1024, 768), (1024, 768))
}
