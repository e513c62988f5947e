// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The formats of pixels that can be read.
//!
//! Source: `include/uapi/drm/drm_fourcc.h`.

use drm::buffer::DrmFourcc;

/// A colour with its alpha: red, green and blue are already multiplied by it.
pub(crate) type Colour = [u8; 4];

/// A format: how long a pixel is, and which colour it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// The number of bytes of a pixel.
    pub(crate) bytes: usize,
    /// Returns the colour of a pixel, whose bytes are read as a little-endian number.
    pub(crate) colour: fn(u32) -> Colour,
}

const OPAQUE: u8 = 255;

/// Returns the format that has this code, if it is known.
pub(crate) fn find(code: DrmFourcc) -> Option<Format> {
    let (bytes, colour): (_, fn(u32) -> Colour) = match code {
        DrmFourcc::Xrgb8888 => (4, |pixel| [byte(pixel, 16), byte(pixel, 8), byte(pixel, 0), OPAQUE]),
        DrmFourcc::Argb8888 => (4, |pixel| [byte(pixel, 16), byte(pixel, 8), byte(pixel, 0), byte(pixel, 24)]),
        DrmFourcc::Xbgr8888 => (4, |pixel| [byte(pixel, 0), byte(pixel, 8), byte(pixel, 16), OPAQUE]),
        DrmFourcc::Abgr8888 => (4, |pixel| [byte(pixel, 0), byte(pixel, 8), byte(pixel, 16), byte(pixel, 24)]),
        DrmFourcc::Rgb888 => (3, |pixel| [byte(pixel, 16), byte(pixel, 8), byte(pixel, 0), OPAQUE]),
        DrmFourcc::Xrgb2101010 => (4, |pixel| [byte(pixel, 22), byte(pixel, 12), byte(pixel, 2), OPAQUE]),
        DrmFourcc::Rgb565 => (2, |pixel| [bits(pixel, 11, 5), bits(pixel, 5, 6), bits(pixel, 0, 5), OPAQUE]),
        _ => return None,
    };
    Some(Format { bytes, colour })
}

/// Returns eight bits of a pixel.
fn byte(pixel: u32, from: u32) -> u8 {
    (pixel >> from) as u8
}

/// Returns fewer bits of a pixel, scaled so that all ones are 255.
fn bits(pixel: u32, from: u32, count: u32) -> u8 {
    let most = (1 << count) - 1;
    (((pixel >> from & most) * 255 + most / 2) / most) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(code: DrmFourcc, pixel: u32) -> Colour {
        (find(code).unwrap().colour)(pixel)
    }

    #[test]
    fn each_colour_is_where_its_format_says() {
        assert_eq!(colour(DrmFourcc::Xrgb8888, 0x7f11_2233), [0x11, 0x22, 0x33, 255]);
        assert_eq!(colour(DrmFourcc::Argb8888, 0x7f11_2233), [0x11, 0x22, 0x33, 0x7f]);
        assert_eq!(colour(DrmFourcc::Xbgr8888, 0x7f11_2233), [0x33, 0x22, 0x11, 255]);
        assert_eq!(colour(DrmFourcc::Abgr8888, 0x7f11_2233), [0x33, 0x22, 0x11, 0x7f]);
        assert_eq!(colour(DrmFourcc::Rgb888, 0x11_2233), [0x11, 0x22, 0x33, 255]);
        assert_eq!(colour(DrmFourcc::Xrgb2101010, 1023 << 20 | 512 << 10 | 3), [255, 128, 0, 255]);
        assert_eq!(colour(DrmFourcc::Rgb565, 0x1f << 11 | 0x20 << 5 | 1), [255, 130, 8, 255]);
        assert!(find(DrmFourcc::Nv12).is_none());
    }
}
