// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Shows pictures by atomic commits.
//!
//! Source: `examples/atomic_modeset.rs` of the crate `drm`; Documentation/gpu/drm-kms.rst, "Atomic Mode Setting".

use std::collections::HashMap;

use anyhow::{Context, bail};
use drm::buffer::{Buffer, DrmFourcc};
use drm::control::atomic::AtomicModeReq;
use drm::control::property::{self, Value};
use drm::control::{
    AtomicCommitFlags, Device, FbCmd2Flags, PlaneType, ResourceHandle, connector, crtc, framebuffer, plane,
};
use drm::{ClientCapability, Device as _};

use super::Show;
use super::output::Output;
use super::picture::Cursor;
use crate::card::Card;

/// A mode object with its properties.
struct Object<H> {
    handle: H,
    properties: HashMap<String, property::Info>,
}

impl<H: ResourceHandle> Object<H> {
    fn new(card: &Card, handle: H) -> anyhow::Result<Self> {
        let properties = card.get_properties(handle).and_then(|all| all.as_hashmap(card));
        Ok(Self { handle, properties: properties.context("failed to ask for properties")? })
    }

    fn set(&self, request: &mut AtomicModeReq, name: &str, value: Value<'_>) -> anyhow::Result<()> {
        let property = self.properties.get(name).with_context(|| format!("no property is called `{name}`"))?;
        request.add_property(self.handle, property.handle(), value);
        Ok(())
    }
}

/// An output that shows pictures.
pub(super) struct Screen<'c> {
    card: &'c Card,
    output: &'c Output,
    connector: Object<connector::Handle>,
    crtc: Object<crtc::Handle>,
    primary: Object<plane::Handle>,
    cursor: Option<Layer>,
}

/// A cursor on its plane.
struct Layer {
    plane: Object<plane::Handle>,
    framebuffer: framebuffer::Handle,
    size: (u32, u32),
}

impl<'c> Screen<'c> {
    pub(super) fn new(card: &'c Card, output: &'c Output, cursor: Option<&'c mut Cursor>) -> anyhow::Result<Self> {
        // This one includes universal planes.
        card.set_client_capability(ClientCapability::Atomic, true).context("the driver has no atomic commits")?;
        Ok(Self {
            card,
            output,
            connector: Object::new(card, output.connector)?,
            crtc: Object::new(card, output.crtc)?,
            primary: plane_of_type(card, output.crtc, PlaneType::Primary)?,
            cursor: cursor.map(|cursor| Layer::new(card, output.crtc, &cursor.buffer)).transpose()?,
        })
    }

    fn commit(&self, flags: AtomicCommitFlags, request: AtomicModeReq) -> std::io::Result<()> {
        self.card.atomic_commit(flags, request)
    }
}

impl Layer {
    fn new(card: &Card, crtc: crtc::Handle, buffer: &impl Buffer) -> anyhow::Result<Self> {
        let plane = plane_of_type(card, crtc, PlaneType::Cursor)?;
        let framebuffer = card.add_planar_framebuffer(&Transparent(buffer), FbCmd2Flags::empty());
        let framebuffer = framebuffer.context("failed to create the cursor's framebuffer")?;
        Ok(Self { plane, framebuffer, size: buffer.size() })
    }
}

/// A buffer with alpha. The crate's `add_framebuffer` cannot say that a format has it.
struct Transparent<'b, B>(&'b B);

impl<B: Buffer> drm::buffer::PlanarBuffer for Transparent<'_, B> {
    fn size(&self) -> (u32, u32) {
        self.0.size()
    }

    fn format(&self) -> DrmFourcc {
        DrmFourcc::Argb8888
    }

    fn modifier(&self) -> Option<drm::buffer::DrmModifier> {
        None
    }

    fn pitches(&self) -> [u32; 4] {
        [self.0.pitch(), 0, 0, 0]
    }

    fn handles(&self) -> [Option<drm::buffer::Handle>; 4] {
        [Some(self.0.handle()), None, None, None]
    }

    fn offsets(&self) -> [u32; 4] {
        [0; 4]
    }
}

impl Show for Screen<'_> {
    fn begin(&mut self, framebuffer: framebuffer::Handle) -> anyhow::Result<()> {
        let crtc = Value::CRTC(Some(self.crtc.handle));
        let mode = self.card.create_property_blob(&self.output.mode).context("failed to make a blob of the mode")?;
        let mut request = AtomicModeReq::new();
        self.connector.set(&mut request, "CRTC_ID", crtc)?;
        self.crtc.set(&mut request, "MODE_ID", mode)?;
        self.crtc.set(&mut request, "ACTIVE", Value::Boolean(true))?;
        cover(&self.primary, &mut request, self.crtc.handle, framebuffer, self.output.size())?;
        if let Some(Layer { plane, framebuffer, size }) = &self.cursor {
            cover(plane, &mut request, self.crtc.handle, *framebuffer, *size)?;
        }
        let test = AtomicCommitFlags::ALLOW_MODESET | AtomicCommitFlags::TEST_ONLY;
        self.commit(test, request.clone()).context("the mode is not accepted")?;
        self.commit(AtomicCommitFlags::ALLOW_MODESET, request).context("failed to set the mode")
    }

    fn flip(&mut self, framebuffer: framebuffer::Handle, (x, y): (u32, u32)) -> anyhow::Result<()> {
        let mut request = AtomicModeReq::new();
        self.primary.set(&mut request, "FB_ID", Value::Framebuffer(Some(framebuffer)))?;
        if let Some(Layer { plane, .. }) = &self.cursor {
            plane.set(&mut request, "CRTC_X", Value::SignedRange(x.into()))?;
            plane.set(&mut request, "CRTC_Y", Value::SignedRange(y.into()))?;
        }
        let flags = AtomicCommitFlags::NONBLOCK | AtomicCommitFlags::PAGE_FLIP_EVENT;
        self.commit(flags, request).context("failed to show the next picture")
    }
}

/// Shows the whole of a framebuffer on a plane, at the upper left of the screen.
fn cover(
    plane: &Object<plane::Handle>,
    request: &mut AtomicModeReq,
    crtc: crtc::Handle,
    framebuffer: framebuffer::Handle,
    (width, height): (u32, u32),
) -> anyhow::Result<()> {
    plane.set(request, "CRTC_ID", Value::CRTC(Some(crtc)))?;
    plane.set(request, "FB_ID", Value::Framebuffer(Some(framebuffer)))?;
    for (name, pixels) in [("SRC_X", 0), ("SRC_Y", 0), ("SRC_W", width), ("SRC_H", height)] {
        plane.set(request, name, Value::UnsignedRange(u64::from(pixels) << 16))?;
    }
    plane.set(request, "CRTC_X", Value::SignedRange(0))?;
    plane.set(request, "CRTC_Y", Value::SignedRange(0))?;
    plane.set(request, "CRTC_W", Value::UnsignedRange(width.into()))?;
    plane.set(request, "CRTC_H", Value::UnsignedRange(height.into()))
}

/// Finds a plane of this type that the CRTC can show.
fn plane_of_type(card: &Card, crtc: crtc::Handle, wanted: PlaneType) -> anyhow::Result<Object<plane::Handle>> {
    let resources = card.resource_handles().context("failed to list the outputs")?;
    for handle in card.plane_handles().context("failed to list the planes")? {
        let info = card.get_plane(handle).context("failed to ask for a plane")?;
        if !resources.filter_crtcs(info.possible_crtcs()).contains(&crtc) {
            continue;
        }
        let plane = Object::new(card, handle)?;
        let values = card.get_properties(handle).context("failed to ask for a plane's properties")?;
        let kind = plane.properties.get("type").map(property::Info::handle);
        if values.iter().any(|(property, value)| Some(*property) == kind && *value == wanted as u64) {
            return Ok(plane);
        }
    }
    bail!("the CRTC has no plane of type {wanted:?}")
}
