// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The pictures: red, green, blue and grey quarters with a white square that moves, and a magenta cursor.
//!
//! Source: none.

use anyhow::Context;
use drm::DriverCapability;
use drm::buffer::{Buffer, DrmFourcc};
use drm::control::dumbbuffer::{DumbBuffer, DumbMapping};
use drm::control::{Device, framebuffer};

use crate::card::Card;

/// The quarters in the order of reading, as `XRGB8888`.
const QUARTERS: [u32; 4] = [0x00c0_0000, 0x0000_c000, 0x0000_00c0, 0x0080_8080];
const WHITE: u32 = 0x00ff_ffff;
/// As `ARGB8888`.
const MAGENTA: u32 = 0xffff_00ff;

/// The sides of the white square and of the cursor in pixels.
const SQUARE: u32 = 32;
const CURSOR: u32 = 64;

/// The distance in pixels by which the square moves from picture to picture.
const STEP: u32 = 8;

/// A buffer of an output's size that is mapped and can be shown.
pub(super) struct Frame<'b> {
    pub(super) framebuffer: framebuffer::Handle,
    /// In pixels.
    pub(super) size: (u32, u32),
    /// In bytes.
    pitch: usize,
    mapping: DumbMapping<'b>,
    /// The place of the square that was drawn last.
    square: (u32, u32),
}

impl<'b> Frame<'b> {
    /// Maps a buffer and draws the quarters.
    pub(super) fn new(card: &Card, buffer: &'b mut DumbBuffer) -> anyhow::Result<Self> {
        let framebuffer = card.add_framebuffer(buffer, 24, 32).context("failed to create a framebuffer")?;
        let (size, pitch) = (buffer.size(), buffer.pitch() as usize);
        let mapping = card.map_dumb_buffer(buffer).context("failed to map a buffer")?;
        let mut frame = Self { framebuffer, size, pitch, mapping, square: (0, 0) };
        frame.fill((0, 0), size, |x, y| quarter((x, y), size));
        Ok(frame)
    }

    /// Moves the white square to its place in this picture.
    pub(super) fn draw(&mut self, number: u32) {
        let size = self.size;
        self.fill(self.square, (SQUARE, SQUARE), |x, y| quarter((x, y), size));
        self.square = place(number, size);
        self.fill(self.square, (SQUARE, SQUARE), |_, _| WHITE);
    }

    fn fill(&mut self, (left, top): (u32, u32), (width, height): (u32, u32), colour: impl Fn(u32, u32) -> u32) {
        for y in top..(top + height).min(self.size.1) {
            for x in left..(left + width).min(self.size.0) {
                put(&mut self.mapping, self.pitch, (x, y), colour(x, y));
            }
        }
    }
}

/// Returns the place of the square in a picture: on a diagonal, with room for the cursor beside it.
fn place(number: u32, (width, height): (u32, u32)) -> (u32, u32) {
    let way = width.min(height).saturating_sub(2 * CURSOR).max(1);
    let at = number.wrapping_mul(STEP) % way;
    (at, at)
}

/// Returns the place of the cursor in a picture: to the right of the square.
pub(super) fn cursor_place(number: u32, size: (u32, u32)) -> (u32, u32) {
    let (x, y) = place(number, size);
    (x + CURSOR, y)
}

fn quarter((x, y): (u32, u32), (width, height): (u32, u32)) -> u32 {
    let (right, lower) = (x >= width / 2, y >= height / 2);
    QUARTERS[usize::from(lower) * 2 + usize::from(right)]
}

fn put(bytes: &mut [u8], pitch: usize, (x, y): (u32, u32), colour: u32) {
    let at = y as usize * pitch + x as usize * 4;
    bytes[at..at + 4].copy_from_slice(&colour.to_le_bytes());
}

/// A buffer with a cursor.
pub(super) struct Cursor {
    pub(super) buffer: DumbBuffer,
}

impl Cursor {
    /// Draws a cursor into a buffer of the size that the driver takes. Outside of it, the buffer is transparent.
    pub(super) fn create(card: &Card) -> anyhow::Result<Self> {
        let side = |which| drm::Device::get_driver_capability(card, which).context("failed to ask for a cursor's size");
        let width = u32::try_from(side(DriverCapability::CursorWidth)?)?;
        let height = u32::try_from(side(DriverCapability::CursorHeight)?)?;
        let buffer = card.create_dumb_buffer((width, height), DrmFourcc::Argb8888, 32);
        let mut buffer = buffer.context("failed to create the cursor's buffer")?;
        let pitch = buffer.pitch() as usize;
        let mut mapping = card.map_dumb_buffer(&mut buffer).context("failed to map the cursor's buffer")?;
        for y in 0..CURSOR.min(height) {
            for x in 0..CURSOR.min(width) {
                put(&mut mapping, pitch, (x, y), MAGENTA);
            }
        }
        drop(mapping);
        Ok(Self { buffer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_quarter_has_its_colour() {
        let at = |place| quarter(place, (1024, 768));
        assert_eq!([at((0, 0)), at((1023, 0)), at((0, 767)), at((1023, 767))], QUARTERS);
        assert_eq!([at((511, 383)), at((512, 384))], [QUARTERS[0], QUARTERS[3]]);
    }

    #[test]
    fn square_moves_and_stays_on_the_screen() {
        let size = (640, 480);
        for number in (0..1000).chain([u32::MAX]) {
            let (x, y) = place(number, size);
            assert!((0..=480 - 2 * CURSOR).contains(&x) && x == y, "{number}: {x}");
            assert_ne!(place(number, size), place(number.wrapping_add(1), size), "{number}");
        }
        assert_eq!(place(7, (1, 1)), (0, 0));
    }

    #[test]
    fn pixel_is_written_to_its_line() {
        let mut bytes = [0; 64];
        put(&mut bytes, 32, (1, 1), 0x0102_0304);
        assert_eq!(bytes[36..40], [4, 3, 2, 1]);
        assert_eq!(bytes.iter().filter(|byte| **byte != 0).count(), 4);
    }
}
