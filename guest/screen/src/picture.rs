// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Draws a screen from its planes, and writes pictures as PNG.
//!
//! Source: drm_blend.c: the blend mode "Pre-multiplied", which is every plane's default; the PNG specification, by the crate `png`.

use anyhow::Context;

use crate::format::Colour;
use crate::screen::{Plane, Screen};

/// The bytes of a pixel: red, green and blue.
const BYTES: usize = 3;

/// The PNG specification's keyword for the device that a picture comes from.
const SOURCE: &str = "Source";

/// A picture without alpha.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Picture {
    fn black(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0; width * height * BYTES] }
    }

    /// Returns the picture in rows of XRGB8888, each `pitch` bytes after the one before.
    pub(crate) fn of_xrgb(width: usize, height: usize, pitch: usize, bytes: &[u8]) -> Self {
        let rows = bytes.chunks(pitch).take(height).map(|row| &row[..4 * width]);
        let pixels =
            rows.flat_map(|row| row.chunks_exact(4)).flat_map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
        Self { width, height, pixels }
    }

    /// Returns it as a PNG file that names `source`, the device whose screens it shows.
    pub(crate) fn png(&self, source: &str) -> anyhow::Result<Vec<u8>> {
        let mut file = Vec::new();
        let size = |size: usize| u32::try_from(size).context("the screens are too large");
        let mut encoder = png::Encoder::new(&mut file, size(self.width)?, size(self.height)?);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::Fast);
        encoder.add_text_chunk(SOURCE.to_owned(), source.to_owned())?;
        encoder.write_header()?.write_image_data(&self.pixels)?;
        Ok(file)
    }

    /// Blends a colour over the pixel at a place that may be outside.
    fn blend(&mut self, x: i64, y: i64, colour: Colour) {
        let inside = |at: i64, size: usize| usize::try_from(at).ok().filter(|at| *at < size);
        let (Some(x), Some(y)) = (inside(x, self.width), inside(y, self.height)) else { return };
        let at = (y * self.width + x) * BYTES;
        let [red, green, blue, alpha] = colour;
        for (under, over) in self.pixels[at..at + BYTES].iter_mut().zip([red, green, blue]) {
            let through = u16::from(*under) * u16::from(255 - alpha);
            *under = over.saturating_add(((through + 127) / 255) as u8);
        }
    }

    fn draw(&mut self, plane: &Plane) {
        let [width, height] = plane.size;
        for y in 0..height {
            for x in 0..width {
                let from = |axis: usize, at: u32, size: u32| {
                    let [start, length] = [plane.source[axis], plane.source[axis + 2]];
                    let pixel = (start + length * u64::from(at) / u64::from(size)) >> 16;
                    // The kernel refuses sources outside; a buffer that is replaced meanwhile may be smaller.
                    (pixel as u32).min(plane.image.size[axis] - 1)
                };
                let colour = plane.image.colour(from(0, x, width), from(1, y, height));
                let [left, top] = plane.at.map(i64::from);
                self.blend(left + i64::from(x), top + i64::from(y), colour);
            }
        }
    }
}

/// Returns what a screen shows.
pub(crate) fn draw(screen: &Screen) -> Picture {
    let [width, height] = screen.size.map(|size| size as usize);
    let mut picture = Picture::black(width, height);
    screen.planes.iter().for_each(|plane| picture.draw(plane));
    picture
}

/// Returns pictures from left to right in one.
pub(crate) fn beside_each_other(pictures: Vec<Picture>) -> Picture {
    let width = pictures.iter().map(|picture| picture.width).sum();
    let height = pictures.iter().map(|picture| picture.height).max().unwrap_or(0);
    let mut all = Picture::black(width, height);
    let mut left = 0;
    for picture in pictures {
        let row = picture.width * BYTES;
        for (y, pixels) in picture.pixels.chunks_exact(row).enumerate() {
            let at = (y * width + left) * BYTES;
            all.pixels[at..at + row].copy_from_slice(pixels);
        }
        left += picture.width;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_blended_by_its_alpha() {
        let mut picture = Picture::black(2, 1);
        picture.blend(0, 0, [200, 100, 0, 255]);
        picture.blend(0, 0, [0, 0, 128, 128]);
        picture.blend(1, 0, [1, 2, 3, 0]);
        assert_eq!(picture.pixels, [100, 50, 128, 1, 2, 3]);
        for (x, y) in [(-1, 0), (2, 0), (0, -1), (0, 1)] {
            picture.blend(x, y, [9, 9, 9, 255]);
        }
        assert_eq!(picture.pixels, [100, 50, 128, 1, 2, 3]);
    }

    #[test]
    fn pictures_are_side_by_side_from_the_top() {
        let one = Picture { width: 1, height: 2, pixels: vec![1, 1, 1, 2, 2, 2] };
        let other = Picture { width: 1, height: 1, pixels: vec![3, 3, 3] };
        let all = beside_each_other(vec![one, other]);
        assert_eq!((all.width, all.height), (2, 2));
        assert_eq!(all.pixels, [1, 1, 1, 3, 3, 3, 2, 2, 2, 0, 0, 0]);
    }

    #[test]
    fn file_is_read_back_as_it_was() {
        let picture = Picture { width: 2, height: 1, pixels: vec![1, 2, 3, 4, 5, 6] };
        let file = picture.png("vkms").unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; 6];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!((reader.info().width, pixels), (2, picture.pixels));
        let text = &reader.info().uncompressed_latin1_text[0];
        assert_eq!((text.keyword.as_str(), text.text.as_str()), (SOURCE, "vkms"));
    }
}
