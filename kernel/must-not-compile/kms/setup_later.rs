// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Mode-setting objects are set up on a device that is registered.
//!
//! Creating them requires a `Setup`, which exists only within `init_kms`.

include!("../driver.rs");
include!("../display.rs");

fn later(dev: &Device<Display, Registered>) -> Result {
    Setup::run(dev, objects) //~ WRONG
    //= Ok(())
}
