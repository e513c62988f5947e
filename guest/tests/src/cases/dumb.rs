// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Dumb buffers: sizes, overflow, offsets, destruction (L12, L13).
//!
//! Source: `drivers/gpu/drm/drm_dumb_buffers.c`, `drm_gem_dumb_map_offset` (Linux 7.3).

use uapi::{CreateDumb, MapDumb, PAGE};

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

super::cases! {
    "dumb":
    one_page, sizes_are_rounded_to_pages, pitch_by_format, odd_bits_per_pixel, flags_are_ignored,
    zero_sizes, overflowing_sizes, size_that_wraps_when_rounded, largest_size_is_lazy,
    failure_clears_the_answer, map_offsets, map_unknown_handle, destroy_twice, destroy_unknown,
}

/// 32 by 32 pixels of 32 bits take exactly one page. The first handle of a file is 1.
fn one_page(guest: &Guest) -> Outcome {
    let made = works!(guest.open()?.create_dumb(32, 32, 32));
    same!((made.handle, made.pitch, made.size), (1, 128, PAGE as u64));
    same!((made.width, made.height, made.bpp), (32, 32, 32));
    Ok(())
}

/// L13: the size of every buffer is a multiple of the page size.
fn sizes_are_rounded_to_pages(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    same!(works!(file.create_dumb(1, 1, 8)).size, 4096);
    same!(works!(file.create_dumb(4096, 1, 8)).size, 4096);
    same!(works!(file.create_dumb(4097, 1, 8)).size, 8192);
    same!(works!(file.create_dumb(1, 4097, 8)).size, 8192);
    same!(works!(file.create_dumb(1920, 1080, 32)).size, 1920 * 1080 * 4);
    same!(works!(file.create_dumb(1366, 768, 32)).size, (1366 * 768 * 4_u64).next_multiple_of(4096));
    Ok(())
}

/// The pitch is the width in bytes, without padding.
fn pitch_by_format(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for (bpp, pitch) in [(8, 33), (16, 66), (24, 99), (32, 132), (64, 264)] {
        same!(works!(file.create_dumb(33, 2, bpp)).pitch, pitch);
    }
    Ok(())
}

/// The bytes per pixel of an unknown depth are guessed, rounded up to whole bytes.
fn odd_bits_per_pixel(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for (bpp, pitch) in [(10, 20), (12, 20), (15, 20), (30, 40), (7, 10), (33, 50)] {
        same!(works!(file.create_dumb(10, 1, bpp)).pitch, pitch);
    }
    Ok(())
}

/// Any flags are accepted. They were never checked: old clients pass garbage in them, as in the fields of the answer.
fn flags_are_ignored(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let wanted = CreateDumb { width: 32, height: 32, bpp: 32, flags: u32::MAX, handle: 77, pitch: 77, size: 77 };
    let made = works!(file.ioctl(&uapi::MODE_CREATE_DUMB, wanted));
    same!((made.handle, made.pitch, made.size), (1, 128, PAGE as u64));
    Ok(())
}

/// A size of zero fails with `EINVAL`.
fn zero_sizes(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for (width, height, bpp) in [(0, 32, 32), (32, 0, 32), (32, 32, 0), (0, 0, 0)] {
        refuses!(file.create_dumb(width, height, bpp), INVAL);
    }
    same!(works!(file.create_dumb(32, 32, 32)).handle, 1);
    Ok(())
}

/// A pitch or a size beyond 32 bits fails with `EINVAL`.
fn overflowing_sizes(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    const MAX: u32 = u32::MAX;
    let sizes = [
        (MAX, MAX, 32),
        (MAX, 1, 32),
        (1, MAX, 32),
        (MAX, MAX, MAX),
        (1, 1, MAX),
        (1, 1, MAX - 7),
        (1 << 16, 1 << 14, 32),
        (1 << 30, 1, 32),
        (1 << 31, 1, 16),
        (1 << 31, 2, 8),
        (MAX, 2, 8),
        (MAX, 1, 64),
    ];
    for (width, height, bpp) in sizes {
        refuses!(file.create_dumb(width, height, bpp), INVAL);
    }
    // This is the largest size that fits. The refused requests took no handle.
    same!(works!(file.create_dumb(1 << 16, (1 << 14) - 1, 32)).handle, 1);
    Ok(())
}

/// A size that fits 32 bits, but not after rounding to whole pages, fails with `EINVAL`.
fn size_that_wraps_when_rounded(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    refuses!(file.create_dumb(0xffff_f001, 1, 8), INVAL);
    refuses!(file.create_dumb(u32::MAX, 1, 8), INVAL);
    refuses!(file.create_dumb(1, u32::MAX, 8), INVAL);
    let largest = works!(file.create_dumb(0xffff_f000, 1, 8));
    same!((largest.handle, largest.size), (1, 0xffff_f000));
    Ok(())
}

/// Memory is allocated at the first mapping, so the largest size can be made on a small machine.
fn largest_size_is_lazy(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let made = works!(file.create_dumb(1 << 16, (1 << 14) - 1, 32));
    same!(made.size, 0xfffc_0000);
    works!(file.map_offset(made.handle));
    works!(file.destroy_dumb(made.handle));
    Ok(())
}

/// A refused request leaves no garbage in handle, pitch and size.
fn failure_clears_the_answer(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let mut dirty = CreateDumb { width: 7, height: 0, bpp: 9, flags: 1, handle: 77, pitch: 77, size: 77 };
    refuses!(sys::ioctl(&file, &uapi::MODE_CREATE_DUMB, &mut dirty), INVAL);
    same!((dirty.handle, dirty.pitch, dirty.size), (0, 0, 0));
    same!((dirty.width, dirty.bpp, dirty.flags), (7, 9, 1));
    let mut dirty = MapDumb { handle: 77, pad: 77, offset: 77 };
    refuses!(sys::ioctl(&file, &uapi::MODE_MAP_DUMB, &mut dirty), NOENT);
    same!(dirty, MapDumb { handle: 77, pad: 77, offset: 0 });
    Ok(())
}

/// Offsets are multiples of the page size, constant, do not overlap, and stay out of the first 4 GiB.
fn map_offsets(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let mut last_end = 0;
    let mut offsets = Vec::new();
    for pages in 1..=20 {
        let handle = works!(file.pages(pages));
        let offset = works!(file.map_offset(handle));
        same!(works!(file.map_offset(handle)), offset);
        holds!(offset % 4096 == 0 && offset >= 1 << 32, "offset {offset:#x} can be mapped");
        offsets.push((offset, offset + u64::from(pages) * 4096));
    }
    offsets.sort_unstable();
    for (start, end) in offsets {
        holds!(start >= last_end, "offset {start:#x} lies behind the buffer before it");
        last_end = end;
    }
    Ok(())
}

/// Mapping an unknown handle fails with `ENOENT`: zero, and handles never given or already closed.
fn map_unknown_handle(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    works!(file.map_offset(handle));
    works!(file.gem_close(handle));
    for unknown in [0, handle, handle + 1, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        refuses!(file.map_offset(unknown), NOENT);
    }
    Ok(())
}

/// A second destruction of a handle, by either of the two ioctls, fails with `EINVAL`.
fn destroy_twice(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (first, second) = (works!(file.pages(1)), works!(file.pages(1)));
    works!(file.destroy_dumb(first));
    refuses!(file.destroy_dumb(first), INVAL);
    refuses!(file.gem_close(first), INVAL);
    works!(file.gem_close(second));
    refuses!(file.destroy_dumb(second), INVAL);
    Ok(())
}

/// Destroying zero or a handle that was never given fails with `EINVAL`.
fn destroy_unknown(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for unknown in [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        refuses!(file.destroy_dumb(unknown), INVAL);
    }
    works!(file.destroy_dumb(works!(file.pages(1))));
    Ok(())
}
