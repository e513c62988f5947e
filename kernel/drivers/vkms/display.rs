// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The display: planes, a CRTC with a timer for its frames, and a monitor.

use crate::{
    config::{
        Config,
        MAX_OUTPUTS, //
    },
    driver::Vkms,
    edid::EDID, //
};
use drm::kms::{
    self,
    connector::ConnectorType,
    vblank,
    Connector,
    Crtc,
    EncoderType,
    Framebuffer,
    Hw,
    Key,
    Modes,
    New,
    Plane,
    PlaneState,
    Setup, //
};
use kernel::prelude::*;

/// `DRM_FORMAT_XRGB8888` and `DRM_FORMAT_ARGB8888` of `include/uapi/drm/drm_fourcc.h`.
pub(crate) const XRGB8888: u32 = u32::from_le_bytes(*b"XR24");
const ARGB8888: u32 = u32::from_le_bytes(*b"AR24");

/// The formats of primary and overlay planes, the preferred one first.
const FORMATS: [u32; 2] = [XRGB8888, ARGB8888];

/// The largest framebuffer, and the largest mode, in pixels.
const MAX_SIZE: (u16, u16) = (8192, 8192);
/// The size of the preferred mode, which clients use by default.
const PREFERRED: (u16, u16) = (1024, 768);

/// The outputs' CRTCs.
#[derive(Clone, Copy)]
pub(crate) struct Outputs([Option<Key<Crtc<Screen>>>; MAX_OUTPUTS]);

impl Outputs {
    /// Returns an output's CRTC.
    pub(crate) fn get(&self, output: u32) -> Option<Key<Crtc<Screen>>> {
        *self.0.get(output as usize)?
    }
}

pub(crate) fn set_up(setup: &Setup<'_, Vkms>, config: &Config) -> Result<Outputs> {
    setup.framebuffer_limits((1, 1), (MAX_SIZE.0.into(), MAX_SIZE.1.into()))?;
    let mut screens = [None; MAX_OUTPUTS];
    for screen in screens.iter_mut().take(config.outputs.into()) {
        *screen = Some(output(setup, config)?);
    }
    Ok(Outputs(screens))
}

/// Creates a CRTC with its planes, and a monitor on it.
fn output(setup: &Setup<'_, Vkms>, config: &Config) -> Result<Key<Crtc<Screen>>> {
    let primary = setup.primary(&FORMATS, Ok(Layer))?;
    let cursor = config
        .cursor
        .then(|| setup.cursor(&[ARGB8888], (512, 512), Ok(Layer)))
        .transpose()?;
    let screen = setup.crtc(primary, cursor, Ok(Screen))?;
    for _ in 0..config.overlays {
        setup.overlay(&FORMATS, screen, &[], Ok(Layer))?;
    }
    let encoder = setup.encoder(EncoderType::VIRTUAL, screen, &[])?;
    setup.connector(ConnectorType::VIRTUAL, encoder, &[], Ok(Monitor))?;
    Ok(screen)
}

pub(crate) struct Layer;

#[vtable]
impl kms::DriverPlane for Layer {
    type Driver = Vkms;
    type State = ();
    type Prepared = ();

    fn prepare(
        _plane: &Plane<Self>,
        _new: &New<PlaneState<Self>>,
        _framebuffer: &Framebuffer<Vkms>,
    ) -> Result {
        Ok(())
    }
}

pub(crate) struct Screen;

#[vtable]
impl kms::DriverCrtc for Screen {
    type Driver = Vkms;
    type State = ();
    type Vblank = vblank::Timer;
}

pub(crate) struct Monitor;

#[vtable]
impl kms::DriverConnector for Monitor {
    type Driver = Vkms;

    fn modes(_connector: &Connector<Self>, modes: &mut Modes<'_>, _hw: &Hw<'_, Vkms>) -> Result {
        modes.edid(&EDID)?;
        // The display has no size of its own, so it shows every common mode.
        modes.common(MAX_SIZE, PREFERRED)
    }
}
