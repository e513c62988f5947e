// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Uses nova's three ioctls, which are all it has.
//!
//! Source: `include/uapi/drm/nova_drm.h`.

use std::os::fd::AsFd;

use anyhow::{Context, ensure};
use rustix::io::Errno;
use rustix::ioctl::{Updater, ioctl};
use uapi::nova::*;

use crate::card::Card;
use crate::hold;

/// The driver's DRM name.
pub(crate) const DRIVER: &str = "nova-drm";

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
    let mut get = NovaGetparam { param: VRAM_BAR_SIZE, value: 0 };
    // SAFETY: number and structure belong together, as in the header.
    unsafe { ioctl(card, Updater::<{ NOVA_GETPARAM.number }, _>::new(&mut get)) }?;
    Ok(get.value)
}

/// Creates a buffer and queries its size, which is rounded up to pages.
fn create(card: &Card) -> anyhow::Result<()> {
    let mut gem = NovaGemCreate { handle: 0, pad: 0, size: SIZE };
    // SAFETY: number and structure belong together, as in the header.
    unsafe { ioctl(card, Updater::<{ NOVA_GEM_CREATE.number }, _>::new(&mut gem)) }
        .context("failed to create a buffer")?;
    let size = info(card, gem.handle).context("failed to ask for the buffer's size")?;
    ensure!(size >= SIZE, "the buffer has {size} bytes; {SIZE} were asked for");
    println!("Created a buffer of {SIZE} bytes; it has {size}.");
    Ok(())
}

/// Returns the size of a buffer in bytes.
fn info(card: impl AsFd, handle: u32) -> Result<u64, Errno> {
    let mut gem = NovaGemInfo { handle, pad: 0, size: 0 };
    // SAFETY: number and structure belong together, as in the header.
    unsafe { ioctl(card, Updater::<{ NOVA_GEM_INFO.number }, _>::new(&mut gem)) }?;
    Ok(gem.size)
}
