// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A display is on the faux bus.
//!
//! Displays go off before the system sleeps, and a faux device has no part in that.

include!("../driver.rs");
include!("../display.rs");

/// Creates a device without hardware.
macro_rules! faux {
    ($driver:ident, $prepared:ident => $ready:expr) => {
        impl drm::faux::Driver for $driver {
            fn probe<'bound>(cx: &drm::faux::Probe<'bound>) -> Result<Ready<'bound, Self>> {
                let $prepared = UnregisteredDevice::<Self>::new(cx, Ok(()))?;
                $ready
            }
        }
    };
}

faux!(Display, device => device.init_kms(objects)?.ready(Ok(())));
faux!(Other, device => device.ready(Ok(())));

pub fn create(module: &'static ThisModule) -> Result {
    drm::faux::Registration::<Display>::new(c"mini", module).map(drop) //~ WRONG
    //= drm::faux::Registration::<Other>::new(c"mini", module).map(drop)
}
