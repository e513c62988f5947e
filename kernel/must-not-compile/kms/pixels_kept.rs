// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The pixels of a framebuffer are kept beyond the access.
//!
//! The exporter of a buffer is told of its end, and may move the memory then (K24).

include!("../driver.rs");
include!("../display.rs");

fn copy(map: &PixelMap<Display>, line: &mut [u8]) -> Result {
    let mut kept = None;
    map.read(|pixels| {
        kept = Some(pixels); //~ WRONG
        //= kept = Some(pixels.row(0, 0, 0, line));
    })?;
    Ok(())
}
