// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Facts about a picture that do not change with fonts, versions and the time of day: its size, exact colours at known places,
//! and shares of its area.
//!
//! Source: the PNG specification, by the crate `png`; util/pattern.c of libdrm for the colours of `modetest`.

/// A colour: red, green and blue.
pub(super) type Colour = [u8; 3];

/// A picture of the screens.
pub(super) struct Picture {
    pub(super) width: usize,
    pub(super) height: usize,
    pixels: Vec<Colour>,
}

impl Picture {
    /// Decodes a PNG file without alpha, as the guest makes it.
    pub(super) fn decode(file: &[u8]) -> Result<Self, String> {
        let unreadable = |error: png::DecodingError| format!("the picture cannot be read: {error}");
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().map_err(unreadable)?;
        let mut bytes = vec![0; reader.output_buffer_size().ok_or("the picture is too large")?];
        let info = reader.next_frame(&mut bytes).map_err(unreadable)?;
        let pixels = bytes.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        Ok(Self { width: info.width as usize, height: info.height as usize, pixels })
    }

    /// Makes a picture of one colour, for tests.
    #[cfg(test)]
    pub(super) fn plain(width: usize, height: usize, colour: Colour) -> Self {
        Self { width, height, pixels: vec![colour; width * height] }
    }

    /// Returns how many pixels `wanted` accepts by their place and colour.
    fn count(&self, wanted: impl Fn(usize, usize, Colour) -> bool) -> usize {
        let places = self.pixels.iter().enumerate();
        places.filter(|(at, colour)| wanted(at % self.width, at / self.width, **colour)).count()
    }

    /// Checks the size in pixels.
    pub(super) fn is_of_size(&self, width: usize, height: usize) -> Result<(), String> {
        let found = (self.width, self.height);
        check(found == (width, height), || format!("the screen has {}×{} pixels", found.0, found.1))
    }

    /// Checks the share of pixels of one colour, in percent of all.
    pub(super) fn has(&self, colour: Colour, percent: std::ops::RangeInclusive<usize>) -> Result<(), String> {
        let found = self.count(|_, _, pixel| pixel == colour) * 100 / self.pixels.len();
        check(percent.contains(&found), || {
            format!("{found} % of the screen have the colour {colour:?}, and {percent:?} % should")
        })
    }

    /// Checks that at least so many pixels are accepted.
    pub(super) fn has_some(&self, least: usize, what: &str, wanted: fn(Colour) -> bool) -> Result<(), String> {
        let found = self.count(|_, _, colour| wanted(colour));
        check(found >= least, || format!("{found} pixels are {what}, and {least} should be"))
    }

    /// Checks that there are at least so many colours.
    pub(super) fn has_colours(&self, least: usize) -> Result<(), String> {
        let mut pixels = self.pixels.clone();
        pixels.dedup();
        pixels.sort_unstable();
        pixels.dedup();
        let found = pixels.len();
        check(found >= least, || format!("there are {found} colours, and {least} should be"))
    }

    /// Checks the upper part of the test picture of `modetest`: seven bars, of which everything but `hidden` pixels is seen.
    pub(super) fn has_bars(&self, hidden: std::ops::RangeInclusive<usize>) -> Result<(), String> {
        const BARS: [Colour; 7] =
            [[192, 192, 192], [192, 192, 0], [0, 192, 192], [0, 192, 0], [192, 0, 192], [192, 0, 0], [0, 0, 192]];
        let is_bar = |x: usize, y: usize| y < self.height * 6 / 9 && x < self.width;
        let others = self.count(|x, y, colour| is_bar(x, y) && colour != BARS[x * BARS.len() / self.width]);
        check(hidden.contains(&others), || format!("{others} pixels differ from the bars, and {hidden:?} should"))
    }
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_is_read_as_it_was_written() {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, 2, 1);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(&[1, 2, 3, 4, 5, 6]).unwrap();
        let picture = Picture::decode(&file).unwrap();
        assert_eq!((picture.width, picture.height), (2, 1));
        assert_eq!(picture.pixels, [[1, 2, 3], [4, 5, 6]]);
        assert!(Picture::decode(&file[..20]).is_err());
    }

    #[test]
    fn facts_are_about_shares_and_places() {
        let mut picture = Picture::plain(14, 9, [0, 0, 192]);
        assert!(picture.is_of_size(14, 9).is_ok() && picture.is_of_size(9, 14).is_err());
        assert!(picture.has([0, 0, 192], 100..=100).is_ok() && picture.has_colours(2).is_err());
        // Six of seven bars have another colour.
        assert!(picture.has_bars(72..=72).is_ok() && picture.has_bars(0..=0).is_err());
        picture.pixels[0] = [9, 9, 9];
        assert!(picture.has_colours(2).is_ok() && picture.has([0, 0, 192], 99..=99).is_ok());
        assert!(picture.has_some(1, "grey", |colour| colour == [9, 9, 9]).is_ok());
        assert!(picture.has_some(2, "grey", |colour| colour == [9, 9, 9]).is_err());
    }
}
