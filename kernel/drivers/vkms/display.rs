// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The display: planes, a CRTC with a timer for its frames, and a monitor.

use crate::driver::Vkms;
use drm::kms::{
    self,
    connector::ConnectorType,
    vblank,
    Connector,
    EncoderType,
    Framebuffer,
    Hw,
    Modes,
    New,
    Plane,
    PlaneState,
    Setup, //
};
use kernel::prelude::*;

/// `DRM_FORMAT_XRGB8888` and `DRM_FORMAT_ARGB8888` of `include/uapi/drm/drm_fourcc.h`.
const XRGB8888: u32 = u32::from_le_bytes(*b"XR24");
const ARGB8888: u32 = u32::from_le_bytes(*b"AR24");

/// The largest framebuffer, and the largest mode, in pixels.
const MAX_SIZE: (u16, u16) = (8192, 8192);
/// The mode that clients use if they have no wish.
const PREFERRED: (u16, u16) = (1024, 768);

pub(crate) fn set_up(setup: &Setup<'_, Vkms>) -> Result {
    setup.framebuffer_limits((1, 1), (MAX_SIZE.0.into(), MAX_SIZE.1.into()))?;
    let primary = setup.primary(&[XRGB8888, ARGB8888], Ok(Layer))?;
    let cursor = setup.cursor(&[ARGB8888], (512, 512), Ok(Layer))?;
    let screen = setup.crtc(primary, Some(cursor), Ok(Screen))?;
    let encoder = setup.encoder(EncoderType::VIRTUAL, screen, &[])?;
    setup.connector(ConnectorType::VIRTUAL, encoder, &[], Ok(Monitor))?;
    Ok(())
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
        modes.common(MAX_SIZE, PREFERRED)
    }
}
