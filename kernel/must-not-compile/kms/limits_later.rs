// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Mode setting is configured after it was frozen.

include!("../driver.rs");

fn later(dev: &Device<Mini, Init>) -> Result {
    dev.framebuffer_limits((0, 0), (4096, 4096)) //~ WRONG
    //= Ok(())
}
