// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Pictures of what an output shows, for `DRM_IOCTL_VKMS_SCREEN`.

use crate::{
    client::Client,
    driver::{
        Buffer,
        Vkms, //
    },
    uapi, //
};
use drm::{
    gem::{
        self,
        Class,
        VMap, //
    },
    ioctl,
    kms::{
        framebuffer::Pixels,
        screen::Screen,
        Framebuffer,
        Rect, //
    },
    File, //
};
use kernel::prelude::*;

type Object = gem::shmem::Object<Buffer>;

/// The bytes of a pixel, in all formats that planes show.
const PIXEL: usize = 4;

/// Copies what an output shows into a buffer of the caller.
///
/// Fails with `ENOENT` for an unknown output or handle, and with `ENOSPC` for a buffer that is too
/// small.
pub(crate) fn screen(
    call: &ioctl::Unguarded<'_, Vkms>,
    arg: &mut uapi::drm_vkms_screen,
    file: &File<Client>,
) -> Result {
    if arg.pad != 0 {
        return Err(EINVAL);
    }
    let crtc = call.objects().get(arg.output).ok_or(ENOENT)?;
    let target = match arg.handle {
        0 => None,
        handle => Some(Object::lookup(file, handle)?.vmap()?),
    };
    let pitch = arg.pitch as usize;
    (arg.width, arg.height) = call.with_screen(crtc, |screen| {
        let state = screen.state();
        if !state.is_active() {
            return Ok::<_, Error>((0, 0));
        }
        let mode = state.mode();
        let size = (u32::from(mode.hdisplay()), u32::from(mode.vdisplay()));
        if let Some(target) = &target {
            Picture::new(target, pitch, size)?.compose(screen)?;
        }
        Ok(size)
    })??;
    Ok(())
}

/// The picture in the caller's buffer.
struct Picture<'a> {
    target: &'a VMap<Object>,
    pitch: usize,
    /// In pixels.
    size: (u32, u32),
}

impl<'a> Picture<'a> {
    fn new(target: &'a VMap<Object>, pitch: usize, size: (u32, u32)) -> Result<Self> {
        let line = size.0 as usize * PIXEL;
        let lines = size.1 as usize;
        let needed = pitch
            .checked_mul(lines - 1)
            .and_then(|before| before.checked_add(line));
        if pitch < line || needed.is_none_or(|needed| needed > target.object().size().bytes()) {
            return Err(ENOSPC);
        }
        Ok(Self {
            target,
            pitch,
            size,
        })
    }

    /// Draws the planes on black, the lowest first.
    fn compose(&self, screen: &Screen<'_, Vkms>) -> Result {
        let mut above = KVec::from_elem(0u8, self.size.0 as usize * PIXEL, GFP_KERNEL)?;
        let mut below = KVec::from_elem(0u8, self.size.0 as usize * PIXEL, GFP_KERNEL)?;
        for y in 0..self.size.1 as usize {
            self.target.write(y * self.pitch, &below)?;
        }
        let mut result = Ok(());
        screen.each_plane(|_, state| {
            if let (Ok(()), Some(framebuffer)) = (result, state.framebuffer()) {
                let places = (state.src(), state.dst());
                result = self.draw(framebuffer, places, &mut above, &mut below);
            }
        });
        result
    }

    /// Draws a plane over the picture so far. `above` and `below` are buffers for a line each.
    fn draw(
        &self,
        framebuffer: &Framebuffer<Vkms>,
        (src, dst): (Rect, Rect),
        above: &mut [u8],
        below: &mut [u8],
    ) -> Result {
        let opaque = framebuffer.format() == crate::display::XRGB8888;
        let bytes = dst.width() as usize * PIXEL;
        let (above, below) = (&mut above[..bytes], &mut below[..bytes]);
        framebuffer.map()?.read(|pixels: &Pixels<'_, Vkms>| {
            for line in 0..dst.height() {
                let (x, y) = (src.x1 >> 16, (src.y1 >> 16) + line);
                pixels.row(0, x as u32, y as u32, above)?;
                let at = (dst.y1 + line) as usize * self.pitch + dst.x1 as usize * PIXEL;
                if !opaque {
                    self.target.read(at, below)?;
                    blend(above, below);
                }
                self.target.write(at, above)?;
            }
            Ok(())
        })?
    }
}

/// Blends pixels with premultiplied alpha over others.
fn blend(above: &mut [u8], below: &[u8]) {
    for (above, below) in above.chunks_exact_mut(PIXEL).zip(below.chunks_exact(PIXEL)) {
        let through = 255 - u32::from(above[3]);
        for (above, below) in above.iter_mut().zip(below) {
            let rest = (u32::from(*below) * through + 127) / 255;
            *above = above.saturating_add(rest as u8);
        }
    }
}
