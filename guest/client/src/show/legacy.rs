// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Shows pictures by the calls that were there before atomic commits.
//!
//! Source: `examples/legacy_modeset.rs` of the crate `drm`.

use anyhow::Context;
use drm::control::{Device, PageFlipFlags, framebuffer};

use super::Show;
use super::output::Output;
use super::picture::Cursor;
use crate::card::Card;

/// An output that shows pictures.
pub(super) struct Screen<'c> {
    card: &'c Card,
    output: &'c Output,
    cursor: Option<&'c mut Cursor>,
}

impl<'c> Screen<'c> {
    pub(super) fn new(card: &'c Card, output: &'c Output, cursor: Option<&'c mut Cursor>) -> anyhow::Result<Self> {
        Ok(Self { card, output, cursor })
    }
}

#[expect(deprecated, reason = "the crate prefers planes, and these calls are what is shown here")]
impl Show for Screen<'_> {
    fn begin(&mut self, framebuffer: framebuffer::Handle) -> anyhow::Result<()> {
        let Output { connector, crtc, mode } = *self.output;
        let set = self.card.set_crtc(crtc, Some(framebuffer), (0, 0), &[connector], Some(mode));
        set.context("failed to set the mode")?;
        if let Some(cursor) = &self.cursor {
            self.card.set_cursor2(crtc, Some(&cursor.buffer), (0, 0)).context("failed to show the cursor")?;
        }
        Ok(())
    }

    fn flip(&mut self, framebuffer: framebuffer::Handle, (x, y): (u32, u32)) -> anyhow::Result<()> {
        let crtc = self.output.crtc;
        if self.cursor.is_some() {
            let place = (i32::try_from(x)?, i32::try_from(y)?);
            self.card.move_cursor(crtc, place).context("failed to move the cursor")?;
        }
        let flip = self.card.page_flip(crtc, framebuffer, PageFlipFlags::EVENT, None);
        flip.context("failed to show the next picture")
    }
}
