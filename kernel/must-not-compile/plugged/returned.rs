// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The guard is returned from its scope.
//!
//! It is generic over the scope's lifetime, so it cannot leave, and forgetting it has no effect (L6).

include!("../driver.rs");

fn keep(dev: &Device<Mini>) {
    let plugged = dev.enter(|plugged| plugged); //~ WRONG
    //= let plugged = dev.enter(|plugged| plugged.is_same(dev));
}
