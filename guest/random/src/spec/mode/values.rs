// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Values of fields for mode setting: usual ones, often several times, and a few that are wrong.

use uapi::mode::*;

use super::SIDE;
use crate::spec::Kind;
use crate::spec::Kind::Number;

/// Sides of pictures, planes and cursors.
pub(super) const SIDES: Kind =
    Number(4, &[SIDE, SIDE, SIDE, SIDE, SIDE, SIDE, 32, 1, 63, 65, 0, 8192, 8193, 0xffff_ffff]);
/// Lengths of a line in bytes.
pub(super) const PITCHES: Kind =
    Number(4, &[4 * SIDE, 4 * SIDE, 4 * SIDE, 4 * SIDE, 2 * SIDE, 0, 255, 257, 0xffff_fff0]);
/// Lengths of a line of a picture's second and later buffers, which usual formats lack.
pub(super) const NO_PITCHES: Kind = Number(4, &[0, 0, 0, 0, 0, 0, 4 * SIDE, SIDE]);
/// Offsets of a picture in its buffer.
pub(super) const OFFSETS: Kind = Number(4, &[0, 0, 0, 0, 0, 0, 1, 4, 4096, 0xffff_f000]);
pub(super) const MODIFIERS: Kind = Number(8, &[0, 0, 0, 0, 0, 1, 1 << 56 | 1, MOD_INVALID]);
pub(super) const COLORS: Kind = Number(
    4,
    &[
        XRGB8888 as u64,
        XRGB8888 as u64,
        ARGB8888 as u64,
        ARGB8888 as u64,
        RGB565 as u64,
        XBGR8888 as u64,
        NV12 as u64,
        YUYV as u64,
        C8 as u64,
        0,
    ],
);
/// Positions of a plane on its CRTC, sign extended.
pub(super) const POSITIONS: &[u64] =
    &[0, 0, 0, 8, 63, 64, -16_i64 as u64, -64_i64 as u64, i32::MAX as u64, i32::MIN as i64 as u64];
/// Sizes of a plane on its CRTC, in pixels.
pub(super) const PLACE_SIDES: &[u64] = &[SIDE, SIDE, SIDE, SIDE, 32, 1, 128, 0, 0x7fff_ffff, 0xffff_ffff];
/// Positions in a picture, in 65536ths of a pixel.
pub(super) const SOURCE_POSITIONS: &[u64] = &[0, 0, 0, 0, 1 << 16, 1 << 15, 32 << 16, 1 << 31, 0xffff_ffff];
/// Sizes of a part of a picture, in 65536ths of a pixel.
pub(super) const SOURCE_SIDES: &[u64] =
    &[SIDE << 16, SIDE << 16, SIDE << 16, SIDE << 16, 32 << 16, 1 << 16, 1 << 15, 0, 1 << 31];
/// Numbers of vertical blanks: near ones, and some that never come.
pub(super) const SEQUENCES: &[u64] = &[1, 1, 1, 2, 0, 3, 100, 0x7fff_ffff, 0xffff_ffff];
/// The number that comes back with an event.
pub(super) const USER_DATA: Kind = Number(8, &[7, 0, u64::MAX]);
/// A property that is on or off.
pub(super) const SWITCH: Kind = Number(8, &[1, 1, 1, 0, 2]);
