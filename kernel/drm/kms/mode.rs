// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Display modes and rectangles.
//!
//! C headers: `include/drm/drm_modes.h`, `include/drm/drm_rect.h`

use crate::raw;

/// A display mode: the size and the timings of a picture (`struct drm_display_mode`).
#[repr(transparent)]
pub struct Mode(raw::drm_display_mode);

impl Mode {
    /// # Safety
    ///
    /// `mode` is a valid mode that nothing changes for `'a` (K14).
    #[inline]
    pub(super) unsafe fn from_raw<'a>(mode: *const raw::drm_display_mode) -> &'a Self {
        // SAFETY: By the requirement; the type is transparent (K14).
        unsafe { &*mode.cast() }
    }

    /// Returns the width of the visible part, in pixels.
    #[inline]
    pub fn hdisplay(&self) -> u16 {
        self.0.hdisplay
    }

    /// Returns the height of the visible part, in lines.
    #[inline]
    pub fn vdisplay(&self) -> u16 {
        self.0.vdisplay
    }

    /// Returns whether the mode has two pictures, for two eyes.
    pub(super) fn is_stereo(&self) -> bool {
        self.0.flags & STEREO != 0
    }

    /// Returns the refresh rate, in frames per second, rounded.
    pub fn vrefresh(&self) -> i32 {
        // SAFETY: The mode is valid, and C only reads it (K14).
        unsafe { raw::drm_mode_vrefresh(&self.0) }
    }

    /// Returns the time from one frame to the next in nanoseconds, or `None` if the mode has none.
    ///
    /// C's `drm_calc_timestamping_constants()` computes the same from the same fields, so that the
    /// core's counts of frames and the timer's frames agree. A mode that is only offered, and not
    /// yet set, lacks those fields; the others then say the same.
    pub fn frame_time(&self) -> Option<u64> {
        let mode = &self.0;
        let (clock, width, height) = if mode.crtc_clock != 0 {
            (mode.crtc_clock, mode.crtc_htotal, mode.crtc_vtotal)
        } else {
            (mode.clock, mode.htotal, mode.vtotal)
        };
        let pixels = u64::from(width) * u64::from(height);
        // C counts them in an `int`.
        if pixels > i32::MAX as u64 {
            return None;
        }
        // The clock is in kHz.
        let frame = (pixels * 1_000_000).checked_div(u64::try_from(clock).ok()?)?;
        let interlaced = mode.flags & INTERLACED != 0;
        Some(if interlaced { frame / 2 } else { frame })
    }
}

/// `DRM_MODE_FLAG_INTERLACE` of `include/uapi/drm/drm_mode.h`.
const INTERLACED: u32 = 1 << 4;

/// `DRM_MODE_FLAG_3D_MASK` of `include/uapi/drm/drm_mode.h`.
const STEREO: u32 = 0x1f << 14;

/// A rectangle: `x1` and `y1` are in it, `x2` and `y2` are not.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Rect {
    /// The left edge.
    pub x1: i32,
    /// The upper edge.
    pub y1: i32,
    /// The edge to the right of it.
    pub x2: i32,
    /// The edge below it.
    pub y2: i32,
}

impl Rect {
    pub(super) fn from_raw(rect: &raw::drm_rect) -> Self {
        Self {
            x1: rect.x1,
            y1: rect.y1,
            x2: rect.x2,
            y2: rect.y2,
        }
    }

    /// Returns the width.
    pub fn width(&self) -> i32 {
        self.x2 - self.x1
    }

    /// Returns the height.
    pub fn height(&self) -> i32 {
        self.y2 - self.y1
    }
}
