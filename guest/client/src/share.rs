// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Shares one buffer between two files: create, map, write, export, import, read back, fence.
//!
//! Source: the documentation of `drm::control::Device`.

use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, ensure};
use drm::buffer::{Buffer, DrmFourcc, Handle};
use drm::control::{Device, dumbbuffer::DumbBuffer};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::card::Card;
use crate::{pattern, vgem};

/// Width and height of the buffer in pixels of 32 bits.
const SIZE: (u32, u32) = (256, 64);

/// Makes all steps, first with one file of the device and then with the other.
pub(crate) fn run(writer: &Card, reader: &Card) -> anyhow::Result<()> {
    let mut buffer = create(writer)?;
    let bytes = write(writer, &mut buffer)?;
    let shared = export(writer, buffer.handle())?;
    let handle = reader.prime_fd_to_buffer(shared.as_fd()).context("failed to import the buffer")?;
    println!("Imported it into a second open file, where its handle is {}.", u32::from(handle));
    read_back(reader, handle, bytes)?;
    fence(writer, buffer.handle(), &shared)?;
    reader.close_buffer(handle).context("failed to close the import")?;
    writer.destroy_dumb_buffer(buffer).context("failed to destroy the buffer")?;
    println!("Closed both handles; everything went well.");
    Ok(())
}

/// Creates a buffer, which is all zero.
pub(crate) fn create(card: &Card) -> anyhow::Result<DumbBuffer> {
    let buffer = card.create_dumb_buffer(SIZE, DrmFourcc::Xrgb8888, 32);
    let buffer = buffer.context("failed to create a buffer")?;
    let ((width, height), handle) = (buffer.size(), u32::from(buffer.handle()));
    println!("Created a buffer of {width} by {height} pixels; its handle is {handle}.");
    Ok(buffer)
}

fn write(card: &Card, buffer: &mut DumbBuffer) -> anyhow::Result<usize> {
    let mut mapping = card.map_dumb_buffer(buffer).context("failed to map the buffer")?;
    ensure!(mapping.iter().all(|byte| *byte == 0), "a fresh buffer is not all zero");
    pattern::fill(&mut mapping);
    println!("Mapped it and wrote a pattern into its {} bytes.", mapping.len());
    Ok(mapping.len())
}

fn export(card: &Card, handle: Handle) -> anyhow::Result<OwnedFd> {
    let shared = card.buffer_to_prime_fd(handle, drm::CLOEXEC | drm::RDWR);
    let shared = shared.context("failed to export the buffer")?;
    println!("Exported it as a dma-buf.");
    Ok(shared)
}

fn read_back(card: &Card, handle: Handle, bytes: usize) -> anyhow::Result<()> {
    let map = drm_ffi::mode::dumbbuffer::map(card.as_fd(), handle.into(), 0, 0);
    let offset = map.context("failed to ask where to map the import")?.offset;
    let options = memmap2::MmapOptions::new().offset(offset).len(bytes).to_owned();
    // SAFETY: the buffer is not written while the mapping exists: this program is its only writer.
    let mapping = unsafe { options.map(&card.as_fd()) }.context("failed to map the import")?;
    if let Some(at) = pattern::first_difference(&mapping) {
        anyhow::bail!("byte {at} read through the second file is not what was written");
    }
    println!("Read the pattern back through the second file: all {bytes} bytes agree.");
    Ok(())
}

fn fence(card: &Card, handle: Handle, shared: &OwnedFd) -> anyhow::Result<()> {
    let fence = vgem::attach_write_fence(card, handle).context("failed to attach a fence")?;
    ensure!(!readable(shared)?, "the buffer can be read although it is being written");
    println!("Attached fence {fence} for writing: whoever wants to read has to wait.");
    let again = vgem::attach_write_fence(card, handle);
    ensure!(again == Err(Errno::BUSY), "a second writer is not refused: {again:?}");
    println!("A second fence for writing is refused: the buffer is busy.");
    vgem::signal_fence(card, fence).context("failed to signal the fence")?;
    ensure!(readable(shared)?, "the buffer is not ready although the fence was signalled");
    println!("Signalled the fence: the buffer is ready.");
    Ok(())
}

/// Whether the buffer can be read without waiting.
fn readable(shared: &OwnedFd) -> anyhow::Result<bool> {
    let mut fds = [PollFd::new(shared, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    Ok(poll(&mut fds, Some(&at_once)).context("failed to poll the dma-buf")? == 1)
}
