// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Uses nova's three ioctls, which are all it has.
//!
//! Source: `include/uapi/drm/nova_drm.h`.

use std::os::fd::AsFd;

use anyhow::{Context, ensure};
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

use crate::card::Card;
use crate::hold;

/// The driver's DRM name.
pub(crate) const DRIVER: &str = "nova-drm";

/// `struct drm_nova_getparam`
#[repr(C)]
struct GetParam {
    param: u64,
    value: u64,
}

/// `struct drm_nova_gem_create` and, with the same members, `struct drm_nova_gem_info`
#[repr(C)]
struct Gem {
    handle: u32,
    pad: u32,
    size: u64,
}

/// `DRM_COMMAND_BASE`: the first number of a driver's own ioctls.
const COMMAND_BASE: u8 = 0x40;
const GETPARAM: Opcode = opcode::read_write::<GetParam>(b'd', COMMAND_BASE);
const GEM_CREATE: Opcode = opcode::read_write::<Gem>(b'd', COMMAND_BASE + 1);
const GEM_INFO: Opcode = opcode::read_write::<Gem>(b'd', COMMAND_BASE + 2);
/// `NOVA_GETPARAM_VRAM_BAR_SIZE`
const VRAM_BAR_SIZE: u64 = 1;

/// A size that is not a multiple of the page size.
const SIZE: u64 = 5000;

/// Uses every ioctl once.
pub(crate) fn run(card: &Card) -> anyhow::Result<()> {
    println!("The BAR for VRAM has {} MiB.", vram(card).context("failed to ask for a parameter")? >> 20);
    create(card)
}

/// Holds a file and a buffer while the device is unplugged, then reports what is left.
pub(crate) fn hold(card: Card) -> anyhow::Result<()> {
    create(&card)?;
    hold::wait()?;
    println!("{}", hold::sentence(&vram(&card).map(drop).map_err(Into::into))?);
    drop(card);
    println!("Closed the file; everything went well.");
    Ok(())
}

/// Returns the size of the BAR for VRAM in bytes.
fn vram(card: impl AsFd) -> Result<u64, Errno> {
    let mut get = GetParam { param: VRAM_BAR_SIZE, value: 0 };
    // SAFETY: number and structure belong together, as in the header.
    unsafe { ioctl(card, Updater::<GETPARAM, _>::new(&mut get)) }?;
    Ok(get.value)
}

/// Creates a buffer and queries its size, which is rounded up to pages.
fn create(card: &Card) -> anyhow::Result<()> {
    let mut gem = Gem { handle: 0, pad: 0, size: SIZE };
    // SAFETY: number and structure belong together, as in the header.
    unsafe { ioctl(card, Updater::<GEM_CREATE, _>::new(&mut gem)) }.context("failed to create a buffer")?;
    let size = info(card, gem.handle).context("failed to ask for the buffer's size")?;
    ensure!(size >= SIZE, "the buffer has {size} bytes; {SIZE} were asked for");
    println!("Created a buffer of {SIZE} bytes; it has {size}.");
    Ok(())
}

/// Returns the size of a buffer in bytes.
fn info(card: impl AsFd, handle: u32) -> Result<u64, Errno> {
    let mut gem = Gem { handle, pad: 0, size: 0 };
    // SAFETY: number and structure belong together, as in the header.
    unsafe { ioctl(card, Updater::<GEM_INFO, _>::new(&mut gem)) }?;
    Ok(gem.size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_header() {
        assert_eq!((GETPARAM, GEM_CREATE, GEM_INFO), (0xc010_6440, 0xc010_6441, 0xc010_6442));
    }
}
