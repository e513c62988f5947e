// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The module's workqueue is started by hand.
//!
//! If it were forgotten, or dropped too early, it would run work after the module's text is freed (L15).

include!("../driver.rs");

fn start(module: &LocalModule) -> Result {
    core::mem::forget(drm::module::Running::new(module, 0)?); //~ WRONG
    Ok(())
}
