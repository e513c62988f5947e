// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The exported descriptor by itself: size, mapping, synchronisation, fdinfo.
//!
//! Source: `drivers/dma-buf/dma-buf.c`, `drm_gem_prime_mmap` in `drivers/gpu/drm/drm_prime.c` (Linux 7.3),
//! `include/uapi/linux/dma-buf.h`.

use std::os::fd::OwnedFd;

use rustix::event::PollFlags;
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use sys::{BadAddress, Mapping};
use uapi::{PAGE, RDWR, SYNC_END, SYNC_READ, SYNC_WRITE};

use crate::harness::check::Outcome;
use crate::subjects::device::{self, DrmFile};
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

super::cases! {
    "dmabuf":
    size, seeking, mapping_is_the_same_memory, mapping_beyond_the_end, mapping_with_an_offset_shows_the_first_pages, private_mapping,
    sync, sync_wrong_flags, bad_addresses, unknown_ioctls, reading_and_writing, idle_is_ready,
    fdinfo, sync_file_wrong_flags, sync_file_of_an_idle_buffer, import_of_no_sync_file,
}

fn exported(file: &DrmFile, pages: u32) -> Outcome<OwnedFd> {
    Ok(works!(file.export(works!(file.pages(pages)), RDWR)))
}

/// fstat(2) and lseek(2) report the size of the buffer.
fn size(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for pages in [1, 2, 300] {
        let (buffer, bytes) = (exported(&file, pages)?, u64::from(pages) * PAGE as u64);
        same!(works!(rustix::fs::fstat(&buffer)).st_size as u64, bytes);
        same!(works!(rustix::fs::seek(&buffer, SeekFrom::End(0))), bytes);
    }
    Ok(())
}

/// Seeking can only query the size and go back to 0; anything else fails with `EINVAL`.
fn seeking(guest: &Guest) -> Outcome {
    let buffer = exported(&guest.open()?, 2)?;
    same!(works!(rustix::fs::seek(&buffer, SeekFrom::Start(0))), 0);
    for position in [
        SeekFrom::Start(1),
        SeekFrom::Start(PAGE as u64),
        SeekFrom::End(-1),
        SeekFrom::End(1),
        SeekFrom::Current(0),
        SeekFrom::Current(1),
    ] {
        refuses!(rustix::fs::seek(&buffer, position), INVAL);
    }
    Ok(())
}

/// Data written through the node is read through the descriptor, and the other way round.
fn mapping_is_the_same_memory(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(4));
    let buffer = works!(file.export(handle, RDWR));
    let (node, shared) = (works!(file.map(handle, 4 * PAGE)), works!(Mapping::shared(&buffer, 0, 4 * PAGE)));
    for page in 0..4 {
        node.write(page * PAGE, page as u32 + 1);
        same!(shared.read(page * PAGE), page as u32 + 1);
        shared.write(page * PAGE + 4, page as u32 + 11);
        same!(node.read(page * PAGE + 4), page as u32 + 11);
    }
    Ok(())
}

/// A mapping of more pages than there are, or of pages behind the end, fails with `EINVAL`.
fn mapping_beyond_the_end(guest: &Guest) -> Outcome {
    let buffer = exported(&guest.open()?, 2)?;
    for (offset, len) in [(0, 3), (1, 2), (2, 1), (3, 1), (1 << 40, 1)] {
        refuses!(Mapping::shared(&buffer, offset * PAGE as u64, len * PAGE), INVAL);
    }
    refuses!(Mapping::shared(&buffer, 0, 0), INVAL);
    refuses!(Mapping::shared(&buffer, 1, PAGE), INVAL);
    works!(Mapping::shared(&buffer, 0, 2 * PAGE));
    works!(Mapping::shared(&buffer, PAGE as u64, PAGE));
    Ok(())
}

/// A mapping with an offset shows the first pages: the shmem helper counts pages from the start of the mapping, so the
/// offset matters only for the length check. (2, 3) would be right. This is a kernel bug that does not reach beyond the
/// buffer.
fn mapping_with_an_offset_shows_the_first_pages(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(3));
    let buffer = works!(file.export(handle, RDWR));
    let whole = works!(file.map(handle, 3 * PAGE));
    (0..3).for_each(|page| whole.write(page * PAGE, page as u32 + 1));
    let end = works!(Mapping::shared(&buffer, PAGE as u64, 2 * PAGE));
    same!((end.read(0), end.read(PAGE)), (1, 2));
    Ok(())
}

/// A private mapping fails with `EINVAL`, as through the node.
fn private_mapping(guest: &Guest) -> Outcome {
    let buffer = exported(&guest.open()?, 1)?;
    for protection in [ProtFlags::READ, ProtFlags::READ | ProtFlags::WRITE] {
        refuses!(Mapping::new(&buffer, 0, PAGE, protection, MapFlags::PRIVATE), INVAL);
        works!(Mapping::new(&buffer, 0, PAGE, protection, MapFlags::SHARED));
    }
    Ok(())
}

/// `DMA_BUF_SYNC` begins and ends CPU access in each direction.
fn sync(guest: &Guest) -> Outcome {
    let buffer = exported(&guest.open()?, 1)?;
    for direction in [SYNC_READ, SYNC_WRITE, SYNC_READ | SYNC_WRITE] {
        works!(device::dma_buf_sync(&buffer, direction));
        works!(device::dma_buf_sync(&buffer, direction | SYNC_END));
    }
    Ok(())
}

/// `DMA_BUF_SYNC` fails with `EINVAL` without a direction, or with unknown bits.
fn sync_wrong_flags(guest: &Guest) -> Outcome {
    let buffer = exported(&guest.open()?, 1)?;
    for flags in [0, SYNC_END, 8, SYNC_READ | 8, 1 << 31] {
        refuses!(device::dma_buf_sync(&buffer, flags), INVAL);
    }
    let mut high = uapi::DmaBufSync { flags: 1 << 32 | u64::from(SYNC_READ) };
    refuses!(sys::ioctl(&buffer, &uapi::DMA_BUF_SYNC, &mut high), INVAL);
    works!(device::dma_buf_sync(&buffer, SYNC_READ));
    works!(device::dma_buf_sync(&buffer, SYNC_READ | SYNC_END));
    Ok(())
}

/// An argument that cannot be read fails with `EFAULT`.
fn bad_addresses(guest: &Guest) -> Outcome {
    let buffer = exported(&guest.open()?, 1)?;
    for address in BadAddress::ALL {
        refuses!(sys::ioctl_bad(&buffer, uapi::DMA_BUF_SYNC.number, address), FAULT);
        refuses!(sys::ioctl_bad(&buffer, uapi::DMA_BUF_EXPORT_SYNC_FILE.number, address), FAULT);
        refuses!(sys::ioctl_bad(&buffer, uapi::DMA_BUF_IMPORT_SYNC_FILE.number, address), FAULT);
    }
    works!(device::dma_buf_sync(&buffer, SYNC_READ));
    let stub = works!(device::export_sync_file(&buffer, SYNC_READ));
    works!(device::import_sync_file(&buffer, SYNC_READ, &stub));
    Ok(())
}

/// DRM ioctls on a dma-buf fail with `ENOTTY`, since it is not a DRM file.
fn unknown_ioctls(guest: &Guest) -> Outcome {
    let buffer = exported(&guest.open()?, 1)?;
    refuses!(DrmFile::from(works!(rustix::io::dup(&buffer))).capability(5), NOTTY);
    for nr in [4, 0x40, 0xff] {
        let number = uapi::ioc(uapi::DIR_WRITE, b'b', nr, 8);
        refuses!(sys::ioctl_bytes(&buffer, number, &mut [0; 8]), NOTTY);
    }
    works!(device::dma_buf_name(&buffer, c"known"));
    Ok(())
}

/// read(2) and write(2) fail with `EINVAL`: the contents can only be mapped.
fn reading_and_writing(guest: &Guest) -> Outcome {
    let buffer = exported(&guest.open()?, 1)?;
    refuses!(rustix::io::read(&buffer, &mut [0_u8; 4]), INVAL);
    refuses!(rustix::io::write(&buffer, &[0; 4]), INVAL);
    Ok(())
}

/// A buffer without fences can be read and written at once.
fn idle_is_ready(guest: &Guest) -> Outcome {
    let buffer = exported(&guest.open()?, 1)?;
    let both = PollFlags::IN | PollFlags::OUT;
    same!(works!(sys::poll(&buffer, both, 0)), both);
    same!(works!(sys::poll(&buffer, PollFlags::PRI, 0)), PollFlags::empty());
    Ok(())
}

/// fdinfo shows the size and the exporter.
fn fdinfo(guest: &Guest) -> Outcome {
    let buffer = exported(&guest.open()?, 3)?;
    let info = device::fdinfo(&buffer)?;
    holds!(info.contains("size:\t12288\n"), "the size is in {info:?}");
    holds!(info.contains("exp_name:\tdrm\n"), "the exporter is in {info:?}");
    Ok(())
}

/// A sync file is for reading, writing or both; other flags fail with `EINVAL`.
fn sync_file_wrong_flags(guest: &Guest) -> Outcome {
    let buffer = exported(&guest.open()?, 1)?;
    let stub = works!(device::export_sync_file(&buffer, SYNC_READ));
    for flags in [0, SYNC_END, SYNC_READ | SYNC_END, 8, u32::MAX] {
        refuses!(device::export_sync_file(&buffer, flags), INVAL);
        refuses!(device::import_sync_file(&buffer, flags, &stub), INVAL);
    }
    for flags in [SYNC_READ, SYNC_WRITE, SYNC_READ | SYNC_WRITE] {
        works!(device::export_sync_file(&buffer, flags));
        works!(device::import_sync_file(&buffer, flags, &stub));
    }
    Ok(())
}

/// The sync file of a buffer without fences is signalled.
fn sync_file_of_an_idle_buffer(guest: &Guest) -> Outcome {
    let buffer = exported(&guest.open()?, 1)?;
    let stub = works!(device::export_sync_file(&buffer, SYNC_READ | SYNC_WRITE));
    same!(works!(sys::poll(&stub, PollFlags::IN, 0)), PollFlags::IN);
    same!(works!(device::fence_of(&stub)).status, 1);
    Ok(())
}

/// Importing a file that is no sync file fails with `EINVAL`.
fn import_of_no_sync_file(guest: &Guest) -> Outcome {
    let buffer = exported(&guest.open()?, 1)?;
    let memory = works!(sys::memory_file(PAGE));
    same!(device::import_sync_file(&buffer, SYNC_WRITE, &memory), Err(Errno::INVAL));
    same!(device::import_sync_file(&buffer, SYNC_WRITE, &buffer), Err(Errno::INVAL));
    let sync_file = works!(device::export_sync_file(&buffer, SYNC_WRITE));
    works!(device::import_sync_file(&buffer, SYNC_WRITE, &sync_file));
    Ok(())
}
