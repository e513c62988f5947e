// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Facts about a picture that do not change with fonts, versions and the time of day: its size, exact colours at known places,
//! and shares of its area.
//!
//! Source: util/pattern.c of libdrm for the colours of `modetest`.

use drydock_machine::pixels::Pixels;

pub(super) use drydock_machine::pixels::Colour;

/// A picture of the screens.
pub(super) struct Picture(Pixels);

impl Picture {
    /// Decodes a PNG file without alpha, as the guest makes it.
    pub(super) fn decode(file: &[u8]) -> Result<Self, String> {
        Pixels::decode(file).map(Self)
    }

    /// Makes a picture of one colour, for tests.
    #[cfg(test)]
    pub(super) fn plain(width: usize, height: usize, colour: Colour) -> Self {
        Self(Pixels { width, height, colours: vec![colour; width * height] })
    }

    /// Returns how many pixels `wanted` accepts by their place and colour.
    fn count(&self, wanted: impl Fn(usize, usize, Colour) -> bool) -> usize {
        let places = self.0.colours.iter().enumerate();
        places.filter(|(at, colour)| wanted(at % self.0.width, at / self.0.width, **colour)).count()
    }

    /// Checks the size in pixels.
    pub(super) fn is_of_size(&self, width: usize, height: usize) -> Result<(), String> {
        let found = (self.0.width, self.0.height);
        check(found == (width, height), || format!("the screen has {}×{} pixels", found.0, found.1))
    }

    /// Checks the share of pixels of one colour, in percent of all.
    pub(super) fn has(&self, colour: Colour, percent: std::ops::RangeInclusive<usize>) -> Result<(), String> {
        let found = self.0.percent(colour);
        check(percent.contains(&found), || {
            format!("{found} % of the screen have the colour {colour:?}, and {percent:?} % should")
        })
    }

    /// Checks that at least so many pixels are accepted.
    pub(super) fn has_some(&self, least: usize, what: &str, wanted: fn(Colour) -> bool) -> Result<(), String> {
        let found = self.0.count(wanted);
        check(found >= least, || format!("{found} pixels are {what}, and {least} should be"))
    }

    /// Checks that there are at least so many colours.
    pub(super) fn has_colours(&self, least: usize) -> Result<(), String> {
        let mut pixels = self.0.colours.clone();
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
        let bottom = self.0.height * 6 / 9;
        let others = self.count(|x, y, colour| y < bottom && colour != BARS[x * BARS.len() / self.0.width]);
        check(hidden.contains(&others), || format!("{others} pixels differ from the bars, and {hidden:?} should"))
    }

    /// Checks that each quarter has its colour, in the order of reading. Everything but `hidden` pixels is seen.
    pub(super) fn has_quarters(
        &self,
        colours: [Colour; 4],
        hidden: std::ops::RangeInclusive<usize>,
    ) -> Result<(), String> {
        let quarter = |x: usize, y: usize| usize::from(y >= self.0.height / 2) * 2 + usize::from(x >= self.0.width / 2);
        let others = self.count(|x, y, colour| colour != colours[quarter(x, y)]);
        check(hidden.contains(&others), || format!("{others} pixels differ from the quarters, and {hidden:?} should"))
    }
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_about_shares_and_places() {
        let mut picture = Picture::plain(14, 9, [0, 0, 192]);
        assert!(picture.is_of_size(14, 9).is_ok() && picture.is_of_size(9, 14).is_err());
        assert!(picture.has([0, 0, 192], 100..=100).is_ok() && picture.has_colours(2).is_err());
        // Six of seven bars have another colour.
        assert!(picture.has_bars(72..=72).is_ok() && picture.has_bars(0..=0).is_err());
        picture.0.colours[0] = [9, 9, 9];
        assert!(picture.has_colours(2).is_ok() && picture.has([0, 0, 192], 99..=99).is_ok());
        assert!(picture.has_some(1, "grey", |colour| colour == [9, 9, 9]).is_ok());
        assert!(picture.has_some(2, "grey", |colour| colour == [9, 9, 9]).is_err());
        // The last quarter has 7 × 5 pixels, and the first has one of another colour.
        let blue = [0, 0, 192];
        assert!(picture.has_quarters([blue; 4], 1..=1).is_ok());
        assert!(picture.has_quarters([blue, blue, blue, [0; 3]], 36..=36).is_ok());
        assert!(picture.has_quarters([blue, blue, blue, [0; 3]], 0..=1).is_err());
    }
}
