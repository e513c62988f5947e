// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A picture of a screen: the pixels of a PNG file.
//!
//! Source: the PNG specification, by the crate `png`.

/// A colour: red, green and blue.
pub type Colour = [u8; 3];

/// The keyword of the text in a PNG file that names the device whose screens it shows.
const SOURCE: &str = "Source";

/// A picture without alpha.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// The number of columns.
    pub width: usize,
    /// The number of rows.
    pub height: usize,
    /// The colours, row by row.
    pub colours: Vec<Colour>,
}

impl Pixels {
    /// Decodes a PNG file with 8 bits for each of red, green and blue, as the guest and QEMU make it.
    pub fn decode(file: &[u8]) -> Result<Self, String> {
        Self::with_source(file).map(|(pixels, _)| pixels)
    }

    /// Like [`Self::decode`]. Also returns the device that the file names as its source.
    pub(crate) fn with_source(file: &[u8]) -> Result<(Self, Option<String>), String> {
        let unreadable = |error: png::DecodingError| format!("the picture cannot be read: {error}");
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().map_err(unreadable)?;
        let mut bytes = vec![0; reader.output_buffer_size().ok_or("the picture is too large")?];
        let frame = reader.next_frame(&mut bytes).map_err(unreadable)?;
        if (frame.color_type, frame.bit_depth) != (png::ColorType::Rgb, png::BitDepth::Eight) {
            return Err(format!("the picture cannot be read: its pixels are {:?}", frame.color_type));
        }
        let texts = &reader.info().uncompressed_latin1_text;
        let source = texts.iter().find(|text| text.keyword == SOURCE).map(|text| text.text.clone());
        let colours = bytes.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        Ok((Self { width: frame.width as usize, height: frame.height as usize, colours }, source))
    }

    /// Returns how many pixels `wanted` accepts.
    pub fn count(&self, wanted: impl Fn(Colour) -> bool) -> usize {
        self.colours.iter().filter(|colour| wanted(**colour)).count()
    }

    /// Returns the share of pixels of one colour, in percent.
    pub fn percent(&self, colour: Colour) -> usize {
        self.count(|own| own == colour) * 100 / self.colours.len().max(1)
    }

    /// Describes the first difference from another picture, if there is one.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if (self.width, self.height) != (other.width, other.height) {
            return Some(format!("{}×{} pixels, not {}×{}", self.width, self.height, other.width, other.height));
        }
        let pairs = self.colours.iter().zip(&other.colours).enumerate();
        let mut different = pairs.filter(|(_, (own, other))| own != other);
        let (at, (own, theirs)) = different.next()?;
        let (x, y) = (at % self.width, at / self.width);
        let (count, all) = (different.count() + 1, self.colours.len());
        Some(format!("{count} of {all} pixels differ, the first at {x},{y}: {own:?}, not {theirs:?}"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Returns a row of pixels as a PNG file, with its source.
    pub(crate) fn file(colours: &[Colour], source: Option<&str>) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, colours.len() as u32, 1);
        encoder.set_color(png::ColorType::Rgb);
        if let Some(source) = source {
            encoder.add_text_chunk(SOURCE.into(), source.into()).unwrap();
        }
        encoder.write_header().unwrap().write_image_data(colours.as_flattened()).unwrap();
        file
    }

    #[test]
    fn picture_is_read_as_it_was_written() {
        let written = file(&[[1, 2, 3], [4, 5, 6]], Some("0000:00:03.0"));
        let (pixels, source) = Pixels::with_source(&written).unwrap();
        assert_eq!((pixels.width, pixels.height), (2, 1));
        assert_eq!(pixels.colours, [[1, 2, 3], [4, 5, 6]]);
        assert_eq!(source.as_deref(), Some("0000:00:03.0"));
        assert!(Pixels::decode(&written[..20]).is_err());
        assert_eq!(Pixels::with_source(&file(&[[1, 2, 3]], None)).unwrap().1, None);
    }

    #[test]
    fn difference_names_the_first_place() {
        let pixels = |colours: &[Colour]| Pixels::decode(&file(colours, None)).unwrap();
        let one = pixels(&[[1, 1, 1], [2, 2, 2], [3, 3, 3]]);
        assert_eq!(one.difference(&one), None);
        let other = pixels(&[[1, 1, 1], [2, 2, 9], [9, 3, 3]]);
        assert_eq!(one.difference(&other).unwrap(), "2 of 3 pixels differ, the first at 1,0: [2, 2, 2], not [2, 2, 9]");
        assert_eq!(one.difference(&pixels(&[[1, 1, 1]])).unwrap(), "3×1 pixels, not 1×1");
    }
}
