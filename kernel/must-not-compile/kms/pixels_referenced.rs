// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A reference to a row of pixels is wanted.
//!
//! A client writes the memory at the same time, so pixels are copied (K24, L24).

include!("../driver.rs");
include!("../display.rs");

fn sum(map: &PixelMap<Display>) -> Result<u32> {
    map.read(|pixels| {
        let line = &pixels[..64]; //~ WRONG
        //= let mut line = [0; 64]; pixels.row(0, 0, 0, &mut line)?;
        Ok(line.iter().map(|&byte| u32::from(byte)).sum())
    })?
}
