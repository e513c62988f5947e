// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Pictures that a driver takes of its own screens: our vkms does.
//!
//! Source: `kernel/drivers/vkms/vkms_drm.h`.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use anyhow::{Context, ensure};
use drm::Device as _;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use sys::Mapping;
use uapi::{
    CreateDumb, DestroyDumb, MODE_CREATE_DUMB, MODE_DESTROY_DUMB, MODE_MAP_DUMB, MapDumb, VKMS_SCREEN, VkmsScreen,
};

use crate::card::Card;
use crate::picture::Picture;

/// Returns a picture of each screen that is on, if the driver takes pictures.
pub(crate) fn all(card: &Card) -> anyhow::Result<Option<Vec<Picture>>> {
    // Only here is the number that of this call; the kernel's driver of this name has no calls of its own.
    if card.get_driver()?.name() != "vkms" {
        return Ok(None);
    }
    let mut pictures = Vec::new();
    for output in 0.. {
        let mut screen = VkmsScreen { output, ..Default::default() };
        match sys::ioctl(card, &VKMS_SCREEN, &mut screen) {
            Ok(_) if screen.width > 0 => pictures.push(one(card, screen)?),
            // It is off.
            Ok(_) => {}
            Err(Errno::NOENT) if output > 0 => break,
            Err(_) => return Ok(None),
        }
    }
    Ok(Some(pictures))
}

/// Takes a picture of a screen whose size is known.
fn one(card: &Card, screen: VkmsScreen) -> anyhow::Result<Picture> {
    let mut buffer = CreateDumb { width: screen.width, height: screen.height, bpp: 32, ..Default::default() };
    sys::ioctl(card, &MODE_CREATE_DUMB, &mut buffer).context("failed to create a buffer for a picture")?;
    let taken = taken(card, screen, &buffer);
    sys::ioctl(card, &MODE_DESTROY_DUMB, &mut DestroyDumb { handle: buffer.handle })?;
    taken
}

fn taken(card: &Card, screen: VkmsScreen, buffer: &CreateDumb) -> anyhow::Result<Picture> {
    let mut call = VkmsScreen { handle: buffer.handle, pitch: buffer.pitch, width: 0, height: 0, ..screen };
    sys::ioctl(card, &VKMS_SCREEN, &mut call).context("the driver took no picture of a screen")?;
    ensure!((call.width, call.height) == (screen.width, screen.height), "a screen has got another mode meanwhile");
    let mut place = MapDumb { handle: buffer.handle, ..MapDumb::default() };
    sys::ioctl(card, &MODE_MAP_DUMB, &mut place)?;
    let length = usize::try_from(buffer.size).context("a picture is too large")?;
    let memory = Mapping::new(card.as_fd(), place.offset, length, ProtFlags::READ, MapFlags::SHARED)?;
    let file = sys::memory_file(length)?;
    memory.give_from(0, &file, length)?;
    let mut bytes = vec![0; length];
    File::from(file).read_exact_at(&mut bytes, 0)?;
    Ok(Picture::of_xrgb(screen.width as usize, screen.height as usize, buffer.pitch as usize, &bytes))
}
