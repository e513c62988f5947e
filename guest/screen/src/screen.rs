// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The screens of a device: what each active CRTC scans out, plane by plane.
//!
//! Source: drm_plane.c and drm_blend.c for the properties of a plane.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use anyhow::{Context, anyhow, bail, ensure};
use drm::buffer::{self, DrmModifier};
use drm::control::{Device as _, GetPlanarFramebufferError, crtc, framebuffer, plane};
use rustix::mm::{MapFlags, ProtFlags};
use sys::Mapping;
use uapi::{CLOEXEC, DMA_BUF_SYNC, DmaBufSync, MODE_MAP_DUMB, MapDumb, SYNC_READ};

use crate::card::Card;
use crate::format::{self, Colour, Format};

/// How often the planes are read again because they have changed. Those of a client that shows another framebuffer sixty times a
/// second may always have.
const ATTEMPTS: usize = 20;

/// A screen.
pub(crate) struct Screen {
    /// The width and height of its mode.
    pub(crate) size: [u32; 2],
    /// The planes with a framebuffer, from the back to the front.
    pub(crate) planes: Vec<Plane>,
}

/// A plane with a framebuffer.
pub(crate) struct Plane {
    /// Its place on the screen.
    pub(crate) at: [i32; 2],
    /// Its width and height on the screen.
    pub(crate) size: [u32; 2],
    /// The part of the framebuffer that it shows: x, y, width and height in 1/65536 of a pixel.
    pub(crate) source: [u64; 4],
    pub(crate) image: Image,
}

/// The pixels of a framebuffer.
pub(crate) struct Image {
    pub(crate) size: [u32; 2],
    format: Format,
    pitch: usize,
    bytes: Vec<u8>,
}

impl Image {
    /// Returns the colour of a pixel inside the framebuffer.
    pub(crate) fn colour(&self, x: u32, y: u32) -> Colour {
        let at = y as usize * self.pitch + x as usize * self.format.bytes;
        let mut pixel = [0; 4];
        pixel[..self.format.bytes].copy_from_slice(&self.bytes[at..at + self.format.bytes]);
        (self.format.colour)(u32::from_le_bytes(pixel))
    }
}

/// Returns the screens that are on.
///
/// A client draws its next frame into a framebuffer that it has just replaced. So planes that have changed while their pixels were
/// copied are read again.
pub(crate) fn all(card: &Card) -> anyhow::Result<Vec<Screen>> {
    let mut read = Err(anyhow!("no attempt was made"));
    for _ in 0..ATTEMPTS {
        let before = shown(card)?;
        read = attempt(card, &before);
        if shown(card)? == before {
            break;
        }
    }
    read
}

/// A plane that is on: its CRTC and its framebuffer.
type Shown = (crtc::Handle, plane::Handle, framebuffer::Handle);

/// Returns the planes that are on.
fn shown(card: &Card) -> anyhow::Result<Vec<Shown>> {
    let mut shown = Vec::new();
    for handle in card.plane_handles().context("failed to list the planes")? {
        let info = card.get_plane(handle).context("failed to read a plane")?;
        if let (Some(crtc), Some(framebuffer)) = (info.crtc(), info.framebuffer()) {
            shown.push((crtc, handle, framebuffer));
        }
    }
    Ok(shown)
}

fn attempt(card: &Card, shown: &[Shown]) -> anyhow::Result<Vec<Screen>> {
    let mut screens = Vec::new();
    for crtc in card.resource_handles().context("failed to list the CRTCs")?.crtcs {
        let Some(size) = size(card, crtc).context("failed to read a CRTC")? else { continue };
        let mut own = Vec::new();
        for &(_, handle, framebuffer) in shown.iter().filter(|(on, ..)| *on == crtc) {
            own.push(plane(card, handle, framebuffer)?);
        }
        own.sort_by_key(|(place, _)| *place);
        screens.push(Screen { size, planes: own.into_iter().map(|(_, plane)| plane).collect() });
    }
    if screens.is_empty() { Err(anyhow!("no screen is on: no CRTC is active")) } else { Ok(screens) }
}

/// Returns the size of the CRTC's mode, if it is active.
fn size(card: &Card, crtc: crtc::Handle) -> io::Result<Option<[u32; 2]>> {
    let is_active = card.properties(crtc)?.get("ACTIVE") == Some(&1);
    let mode = card.get_crtc(crtc)?.mode().filter(|_| is_active);
    Ok(mode.map(|mode| [mode.size().0.into(), mode.size().1.into()]))
}

/// Returns a plane, and what decides about its place in the stack.
fn plane(card: &Card, handle: plane::Handle, shown: framebuffer::Handle) -> anyhow::Result<((u64, u64), Plane)> {
    let properties = card.properties(handle).context("failed to read the properties of a plane")?;
    let value = |name: &str| properties.get(name).copied().with_context(|| format!("a plane has no `{name}`"));
    check(&properties)?;
    let signed = |name: &str| Ok::<_, anyhow::Error>(value(name)? as i32);
    let unsigned = |name: &str| Ok::<_, anyhow::Error>(value(name)? as u32);
    let plane = Plane {
        at: [signed("CRTC_X")?, signed("CRTC_Y")?],
        size: [unsigned("CRTC_W")?, unsigned("CRTC_H")?],
        source: [value("SRC_X")?, value("SRC_Y")?, value("SRC_W")?, value("SRC_H")?],
        image: image(card, shown)?,
    };
    // Without a position, an overlay is above the primary plane, and the cursor above both.
    let by_kind = match value("type")? {
        PRIMARY => 0,
        CURSOR => 2,
        _ => 1,
    };
    Ok(((properties.get("zpos").copied().unwrap_or(by_kind), u32::from(handle).into()), plane))
}

/// Values of the property `type`.
const PRIMARY: u64 = 1;
const CURSOR: u64 = 2;

/// Refuses what would have to be composed in another way.
fn check(properties: &HashMap<String, u64>) -> anyhow::Result<()> {
    // The first of the bits is a rotation by 0°.
    let is_upright = properties.get("rotation").is_none_or(|rotation| *rotation == 1);
    if is_upright { Ok(()) } else { bail!("a plane is rotated or reflected, which this program cannot draw") }
}

fn image(card: &Card, handle: framebuffer::Handle) -> anyhow::Result<Image> {
    let info = card.get_planar_framebuffer(handle).map_err(|error| match error {
        GetPlanarFramebufferError::Io(error) => anyhow::Error::new(error).context("failed to read a framebuffer"),
        GetPlanarFramebufferError::UnrecognizedFourcc(error) => anyhow!("{error}"),
    })?;
    let format = format::find(info.pixel_format());
    let format = format.with_context(|| format!("the format `{}` is not known here", info.pixel_format()))?;
    match info.modifier() {
        None | Some(DrmModifier::Linear) => {}
        Some(modifier) => bail!("the pixels are not in rows: the modifier is {modifier:?}"),
    }
    let [buffer, ..] = info.buffers();
    let buffer =
        buffer.context("the kernel gives no buffer of the framebuffer: this program needs the rights of root")?;
    let ([width, height], pitch, offset) = (info.size().into(), info.pitches()[0] as usize, info.offsets()[0] as usize);
    let length = pitch * (height as usize - 1) + width as usize * format.bytes;
    let bytes = copy(card, buffer, offset, length).context("failed to read a framebuffer's buffer")?;
    Ok(Image { size: [width, height], format, pitch, bytes })
}

/// Returns bytes of a buffer.
///
/// An export keeps the driver's module loaded as long as any client has a handle of the buffer, and the console has one of its
/// buffer for ever. So only a buffer that the device has imported, which it cannot map, is exported.
fn copy(card: &Card, buffer: buffer::Handle, offset: usize, length: usize) -> anyhow::Result<Vec<u8>> {
    let map = |file, at| Mapping::new(file, at, offset + length, ProtFlags::READ, MapFlags::SHARED);
    let mut dumb = MapDumb { handle: buffer.into(), ..MapDumb::default() };
    let memory = match sys::ioctl(card, &MODE_MAP_DUMB, &mut dumb) {
        Ok(_) => map(card.as_fd(), dumb.offset)?,
        Err(_) => {
            let shared = card.buffer_to_prime_fd(buffer, CLOEXEC)?;
            let memory = map(shared.as_fd(), 0)?;
            // The exporter makes what a device has written visible. This process ends without a word to it.
            sys::ioctl(&shared, &DMA_BUF_SYNC, &mut DmaBufSync { flags: SYNC_READ.into() })?;
            memory
        }
    };
    // The kernel copies faster than a loop of ours, and clients write to the buffer meanwhile.
    let file = sys::memory_file(length)?;
    let copied = memory.give_from(offset, &file, length)?;
    ensure!(copied == length, "the kernel copied {copied} of {length} bytes");
    let mut bytes = vec![0; length];
    File::from(file).read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
