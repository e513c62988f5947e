// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Pixels are read from a mapping outside of `read`.
//!
//! Buffers of other devices are told of the access before it begins (K24).

include!("../driver.rs");
include!("../display.rs");

fn copy(map: &PixelMap<Display>, line: &mut [u8]) -> Result {
    map.row(0, 0, 0, line) //~ WRONG
    //= map.read(|pixels| pixels.row(0, 0, 0, line))?
}
