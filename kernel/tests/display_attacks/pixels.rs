// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Pixels at the borders of framebuffers, and beyond.

use crate::{
    objects::{
        NV12,
        RGB565, //
    },
    Attacked, //
};
use drm::kms::{
    framebuffer::Pixels,
    Framebuffer, //
};
use kernel::prelude::*;

/// Reads rows in all places where something begins or ends. Returns how many can be read, or `EIO` if one can be read
/// that has no memory, or one cannot that has.
pub(crate) fn borders(framebuffer: &Framebuffer<Attacked>) -> Result<u32> {
    framebuffer.map()?.read(|pixels| {
        let mut read = 0;
        for plane in [0, 1, 2, 3, 4, usize::MAX] {
            let (bytes, width, height) = plane_of(framebuffer, plane);
            for x in places(width) {
                for y in places(height) {
                    for count in [0, 1, width / 2, width, width + 1] {
                        let is_inside = y < height
                            && u64::from(x) + u64::from(count) <= u64::from(width)
                            && bytes != 0;
                        let len = count as usize * bytes.max(1);
                        if row(pixels, plane, x, y, len)? != is_inside {
                            return Err(EIO);
                        }
                        read += u32::from(is_inside);
                        // A part of a pixel.
                        if bytes > 1 && row(pixels, plane, x, y, len + 1)? {
                            return Err(EIO);
                        }
                    }
                }
            }
        }
        Ok(read)
    })?
}

/// Returns the bytes of a pixel in a plane of memory, and its size in pixels; zeros if there is no such plane.
fn plane_of(framebuffer: &Framebuffer<Attacked>, plane: usize) -> (usize, u32, u32) {
    let (width, height) = (framebuffer.width(), framebuffer.height());
    match (framebuffer.format(), plane) {
        (NV12, 0) => (1, width, height),
        (NV12, 1) => (2, width / 2, height / 2),
        (RGB565, 0) => (2, width, height),
        (NV12 | RGB565, _) => (0, 0, 0),
        (_, 0) => (4, width, height),
        _ => (0, 0, 0),
    }
}

fn places(size: u32) -> [u32; 7] {
    [
        0,
        1,
        size.wrapping_sub(1),
        size,
        size.wrapping_add(1),
        1 << 31,
        u32::MAX,
    ]
}

/// Returns whether a row can be read. What cannot must stay as it was.
fn row(pixels: &Pixels<'_, Attacked>, plane: usize, x: u32, y: u32, len: usize) -> Result<bool> {
    const UNREAD: u8 = 0x5a;
    let mut to = KVec::from_elem(UNREAD, len + 1, GFP_KERNEL)?;
    let read = pixels.row(plane, x, y, &mut to[..len]).is_ok();
    if to[len] != UNREAD || (!read && to.iter().any(|byte| *byte != UNREAD)) {
        return Err(EIO);
    }
    Ok(read)
}
