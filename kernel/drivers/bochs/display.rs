// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The display: one plane, which covers the screen, a CRTC and a monitor.

use crate::{
    driver::Bochs,
    hardware::{
        Hardware,
        EDID_SIZE,
        PIXEL, //
    },
};
use drm::kms::{
    self,
    connector::ConnectorType,
    framebuffer::{
        Map,
        Pixels, //
    },
    plane::Placement,
    vblank,
    Connector,
    Crtc,
    CrtcState,
    EncoderType,
    Framebuffer,
    Hw,
    Mode,
    Modes,
    New,
    Old,
    Plane,
    PlaneState,
    Rect,
    Setup, //
};
use kernel::prelude::*;

/// `DRM_FORMAT_XRGB8888` of `include/uapi/drm/drm_fourcc.h`.
const XRGB8888: u32 = u32::from_le_bytes(*b"XR24");

/// Creates the objects of a display with `memory` bytes.
pub(crate) fn set_up(setup: &Setup<'_, Bochs>, memory: usize) -> Result {
    setup.framebuffer_limits((1, 1), (8192, 8192))?;
    let primary = setup.primary(&[XRGB8888], Ok(Layer))?;
    let screen = setup.crtc(primary, None, Ok(Screen { memory }))?;
    let encoder = setup.encoder(EncoderType::VIRTUAL, screen, &[])?;
    setup.connector(ConnectorType::VIRTUAL, encoder, &[], Ok(Monitor))?;
    Ok(())
}

pub(crate) struct Layer;

#[vtable]
impl kms::DriverPlane for Layer {
    type Driver = Bochs;
    type State = ();
    type Prepared = Map<Bochs>;

    fn placement(&self) -> Placement {
        Placement::FullScreen
    }

    fn prepare(
        _plane: &Plane<Self>,
        _new: &New<PlaneState<Self>>,
        framebuffer: &Framebuffer<Bochs>,
    ) -> Result<Map<Bochs>> {
        framebuffer.map()
    }

    fn update(
        _plane: &Plane<Self>,
        old: &Old<PlaneState<Self>>,
        new: &New<PlaneState<Self>>,
        hw: &Hw<'_, Bochs>,
    ) {
        let (Some(map), Some(damage)) = (new.prepared(), new.damage(old)) else {
            return;
        };
        // An error is that of a buffer of another device. The picture stays as it was.
        let _ = map.read(|pixels| hw.registration(|hardware| copy(hardware, pixels, new, damage)));
    }
}

/// The number of pixels that are copied at a time, by way of the stack.
const RUN: usize = 64;

/// Copies a part of the framebuffer to the device's memory.
fn copy(
    hardware: &Hardware<'_>,
    pixels: &Pixels<'_, Bochs>,
    state: &PlaneState<Layer>,
    damage: Rect,
) {
    // The plane covers the screen, and the screen's rows follow each other in the memory.
    let width = state.dst().width() as usize;
    let (left, top) = (state.src().x1 >> 16, state.src().y1 >> 16);
    let mut run = [0; RUN * PIXEL];
    for y in damage.y1..damage.y2 {
        for x in (damage.x1..damage.x2).step_by(RUN) {
            let run = &mut run[..PIXEL * RUN.min((damage.x2 - x) as usize)];
            if pixels.row(0, x as u32, y as u32, run).is_ok() {
                let place = (y - top) as usize * width + (x - left) as usize;
                hardware.copy(PIXEL * place, run);
            }
        }
    }
}

pub(crate) struct Screen {
    /// The size of the device's memory, in bytes.
    memory: usize,
}

#[vtable]
impl kms::DriverCrtc for Screen {
    type Driver = Bochs;
    type State = ();
    type Vblank = vblank::Timer;

    const NEEDS_PRIMARY: bool = true;

    fn mode_valid(crtc: &Crtc<Self>, mode: &Mode) -> bool {
        usize::from(mode.hdisplay()) * usize::from(mode.vdisplay()) * PIXEL <= crtc.memory
    }

    fn enable(
        _crtc: &Crtc<Self>,
        _old: &Old<CrtcState<Self>>,
        new: &New<CrtcState<Self>>,
        hw: &Hw<'_, Bochs>,
    ) {
        let mode = new.mode();
        hw.registration(|hardware| hardware.switch_on(mode.hdisplay(), mode.vdisplay()));
    }

    fn disable(_crtc: &Crtc<Self>, _old: &Old<CrtcState<Self>>, hw: &Hw<'_, Bochs>) {
        hw.registration(|hardware| hardware.switch_off());
    }
}

pub(crate) struct Monitor;

#[vtable]
impl kms::DriverConnector for Monitor {
    type Driver = Bochs;

    fn modes(_connector: &Connector<Self>, modes: &mut Modes<'_>, hw: &Hw<'_, Bochs>) -> Result {
        let mut edid = KBox::new([0; EDID_SIZE], GFP_KERNEL)?;
        hw.registration(|hardware| hardware.edid(&mut edid));
        match modes.edid(&*edid) {
            // QEMU gives no EDID with `edid=off`.
            Err(_) => modes.common((1920, 1080), (1024, 768)),
            added => added,
        }
    }
}
