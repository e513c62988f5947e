// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A screen: a surface of the device, and the buffers that are shown on it in turn.

use anyhow::Context;
use smithay::backend::allocator::dmabuf::AsDmabuf;
use smithay::backend::allocator::dumb::{DumbAllocator, DumbBuffer};
use smithay::backend::allocator::{Fourcc, Modifier, Slot, Swapchain};
use smithay::backend::drm::dumb::{DumbFramebuffer, framebuffer_from_dumb_buffer};
use smithay::backend::drm::{DrmDevice, DrmDeviceFd, DrmSurface, PlaneConfig, PlaneState};
use smithay::backend::renderer::pixman::PixmanRenderer;
use smithay::backend::renderer::{Bind, Color32F, Frame, Renderer};
use smithay::reexports::drm::control::{Device as _, connector};
use smithay::utils::{Physical, Point, Rectangle, Size, Transform};

/// The colours of the screen and of the square: #336699 and white.
const BACKGROUND: Color32F = Color32F::new(0.2, 0.4, 0.6, 1.0);
const WHITE: Color32F = Color32F::new(1.0, 1.0, 1.0, 1.0);

/// The side of the square, and the distance between its places, in pixels.
const SQUARE: i32 = 64;
const STEP: i32 = 8;

/// A screen that shows frames.
pub(crate) struct Screen {
    fd: DrmDeviceFd,
    surface: DrmSurface,
    renderer: PixmanRenderer,
    buffers: Swapchain<DumbAllocator>,
    size: Size<i32, Physical>,
    /// The buffer that is queued, and the one that is on the screen.
    queued: Option<Slot<DumbBuffer>>,
    current: Option<Slot<DumbBuffer>>,
    /// The number of frames that were shown.
    pub(crate) frames: u32,
}

impl Screen {
    /// Sets up the first connected display in its first mode.
    pub(crate) fn new(device: &mut DrmDevice, fd: &DrmDeviceFd) -> anyhow::Result<Self> {
        let resources = fd.resource_handles().context("failed to list the outputs")?;
        let connectors = resources.connectors().iter().filter_map(|connector| fd.get_connector(*connector, true).ok());
        let mut connected = connectors.filter(|info| info.state() == connector::State::Connected);
        let connector = connected.next().context("no display is connected")?;
        let mode = *connector.modes().first().context("the display has no mode")?;
        let encoder = connector.encoders().first().context("the display has no encoder")?;
        let crtcs = resources.filter_crtcs(fd.get_encoder(*encoder)?.possible_crtcs());
        let crtc = *crtcs.first().context("no CRTC can feed the display")?;
        let surface = device.create_surface(crtc, mode, &[connector.handle()]).context("failed to make a surface")?;
        let (width, height) = mode.size();
        let (allocator, modifiers) = (DumbAllocator::new(fd.clone()), vec![Modifier::Linear]);
        let buffers = Swapchain::new(allocator, width.into(), height.into(), Fourcc::Xrgb8888, modifiers);
        let size = Size::from((i32::from(width), i32::from(height)));
        let renderer = PixmanRenderer::new().context("failed to make a renderer")?;
        Ok(Self { fd: fd.clone(), surface, renderer, buffers, size, queued: None, current: None, frames: 0 })
    }

    /// Returns the size, as people write it.
    pub(crate) fn describe(&self) -> String {
        format!("{}x{}", self.size.w, self.size.h)
    }

    /// Draws the next frame and queues it. An event follows.
    pub(crate) fn show(&mut self) -> anyhow::Result<()> {
        let slot = self.buffers.acquire().context("failed to create a buffer")?.context("all buffers are in use")?;
        self.draw(&slot)?;
        if slot.userdata().get::<DumbFramebuffer>().is_none() {
            let made = framebuffer_from_dumb_buffer(&self.fd, &slot, true).context("failed to create a framebuffer")?;
            slot.userdata().insert_if_missing(|| made);
        }
        let framebuffer = slot.userdata().get::<DumbFramebuffer>().context("the framebuffer was just made")?;
        let whole = Rectangle::from_size(self.size);
        let config = PlaneConfig {
            src: Rectangle::from_size((f64::from(self.size.w), f64::from(self.size.h)).into()),
            dst: whole,
            transform: Transform::Normal,
            alpha: 1.0,
            damage_clips: None,
            fb: *framebuffer.as_ref(),
            fence: None,
        };
        let planes = [PlaneState { handle: self.surface.plane(), config: Some(config) }];
        let result = match self.surface.commit_pending() {
            true => self.surface.commit(planes, true),
            false => self.surface.page_flip(planes, true),
        };
        result.context("failed to show a frame")?;
        self.queued = Some(slot);
        Ok(())
    }

    /// Notes that the queued frame is on the screen now.
    pub(crate) fn shown(&mut self) -> anyhow::Result<()> {
        let slot = self.queued.take().context("an event came without a frame")?;
        self.buffers.submitted(&slot);
        self.current = Some(slot);
        self.frames += 1;
        Ok(())
    }

    fn draw(&mut self, slot: &Slot<DumbBuffer>) -> anyhow::Result<()> {
        let mut target = slot.export().context("failed to export a buffer")?;
        let mut target = self.renderer.bind(&mut target).context("failed to draw on a buffer")?;
        let whole = Rectangle::from_size(self.size);
        let mut frame = self.renderer.render(&mut target, self.size, Transform::Normal).context("failed to draw")?;
        frame.clear(BACKGROUND, &[whole]).context("failed to clear the screen")?;
        let way = (self.size.h - SQUARE).max(1);
        let at = i32::try_from(self.frames % 10_000)? * STEP % way;
        let square = Rectangle::new(Point::from((at, at)), Size::from((SQUARE, SQUARE)));
        frame.draw_solid(square, &[Rectangle::from_size(square.size)], WHITE).context("failed to draw the square")?;
        drop(frame.finish().context("failed to finish drawing")?);
        Ok(())
    }
}
