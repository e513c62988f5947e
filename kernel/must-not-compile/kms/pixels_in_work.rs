// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Work reads pixels in an access that `flush` has begun.
//!
//! Work begins its own access: the mapping may be moved into it (K24).

include!("../driver.rs");
include!("../display.rs");

fn later(dev: &Device<Display>, map: PixelMap<Display>) -> Result {
    map.read(|pixels| dev.queue_work(move |_| drop(pixels.row(0, 0, 0, &mut [0; 64]))))? //~ WRONG
    //= dev.queue_work(move |_| drop(map.read(|pixels| pixels.row(0, 0, 0, &mut [0; 64]))))
}
