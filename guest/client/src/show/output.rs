// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! An output: a connected display, the CRTC that feeds it, and the mode that it prefers.
//!
//! Source: `examples/atomic_modeset.rs` of the crate `drm`.

use anyhow::{Context, bail};
use drm::buffer::DrmFourcc;
use drm::control::dumbbuffer::DumbBuffer;
use drm::control::{Device, Mode, ModeTypeFlags, connector, crtc};

use crate::card::Card;

/// An output that can show pictures.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) connector: connector::Handle,
    pub(super) crtc: crtc::Handle,
    pub(super) mode: Mode,
}

impl Output {
    /// Finds the first connected display, and the first CRTC that can feed it.
    pub(super) fn find(card: &Card) -> anyhow::Result<Self> {
        let resources = card.resource_handles().context("failed to list the outputs")?;
        for &connector in resources.connectors() {
            let info = card.get_connector(connector, true).context("failed to ask for a connector")?;
            if info.state() != connector::State::Connected {
                continue;
            }
            let modes = info.modes();
            let preferred = modes.iter().find(|mode| mode.mode_type().contains(ModeTypeFlags::PREFERRED));
            let Some(&mode) = preferred.or(modes.first()) else { continue };
            for &encoder in info.encoders() {
                let encoder = card.get_encoder(encoder).context("failed to ask for an encoder")?;
                if let Some(&crtc) = resources.filter_crtcs(encoder.possible_crtcs()).first() {
                    return Ok(Self { connector, crtc, mode });
                }
            }
        }
        bail!("no display is connected")
    }

    /// Returns the size in pixels.
    pub(super) fn size(&self) -> (u32, u32) {
        let (width, height) = self.mode.size();
        (width.into(), height.into())
    }

    /// Returns size and rate of the mode, as people write them.
    pub(super) fn describe(&self) -> String {
        let ((width, height), rate) = (self.mode.size(), self.mode.vrefresh());
        format!("{width}x{height} at {rate} Hz")
    }

    /// Creates a buffer for a picture that fills it.
    pub(super) fn buffer(&self, card: &Card) -> anyhow::Result<DumbBuffer> {
        card.create_dumb_buffer(self.size(), DrmFourcc::Xrgb8888, 32).context("failed to create a buffer")
    }
}
