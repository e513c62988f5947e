// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Work looks up an object of a device that it knows nothing of.
//!
//! A counted reference proves only that there is a device. In `enter` it is known to be registered (L27).

include!("../driver.rs");
include!("../display.rs");

fn later(dev: &Device<Display>, key: Key<Crtc<Screen>>) -> Result {
    dev.queue_work(move |dev| {
        let active = dev.get(key).is_ok(); //~ WRONG
        //= let active = dev.enter(|plugged| plugged.get(key).is_ok());
    })
}
