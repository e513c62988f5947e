// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The arguments that the fence ioctls refuse, and the numbers that they return.
//!
//! Source: `drivers/gpu/drm/vgem/vgem_fence.c`, `drivers/dma-buf/dma-buf.c`, `drivers/dma-buf/sync_file.c` (Linux 7.3).

use rustix::event::PollFlags;
use uapi::{FENCE_WRITE, FenceAttach, FenceSignal};

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::{refuses, same, works};

use super::{buffer, ready};

crate::cases::cases! {
    "fence":
    attach_with_unknown_flags_is_refused, attach_with_nonzero_padding_is_refused, attach_unknown_handle,
    attach_other_files_handle, attach_closed_handle, signal_with_flags_is_refused, signal_unknown,
    signal_other_files_fence, signal_twice, numbers_are_not_used_again, incoming_number_is_ignored,
}

/// Flags other than `VGEM_FENCE_WRITE` fail with EINVAL, before the handle is checked.
fn attach_with_unknown_flags_is_refused(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    for flags in [2, 3, 4, 0x8000_0000, u32::MAX] {
        refuses!(file.attach(handle, flags), INVAL);
        refuses!(file.attach(0, flags), INVAL);
    }
    for flags in [0, FENCE_WRITE] {
        works!(file.signal(works!(file.attach(handle, flags))));
    }
    Ok(())
}

/// A `pad` that is not zero fails with EINVAL.
fn attach_with_nonzero_padding_is_refused(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    for pad in [1, u32::MAX] {
        let wanted = FenceAttach { handle, pad, ..Default::default() };
        refuses!(file.ioctl(&uapi::VGEM_FENCE_ATTACH, wanted), INVAL);
    }
    works!(file.attach(handle, FENCE_WRITE));
    Ok(())
}

/// Handle zero and handles never given fail with ENOENT, on both nodes.
fn attach_unknown_handle(guest: &Guest) -> Outcome {
    for file in [guest.open()?, guest.open_render()?] {
        for unknown in [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            refuses!(file.attach(unknown, 0), NOENT);
            refuses!(file.attach(unknown, FENCE_WRITE), NOENT);
        }
    }
    let file = guest.open()?;
    works!(file.attach(works!(file.pages(1)), FENCE_WRITE));
    Ok(())
}

/// A handle of another file of the same process fails with ENOENT.
fn attach_other_files_handle(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let handle = works!(file.pages(1));
    refuses!(other.attach(handle, FENCE_WRITE), NOENT);
    works!(file.attach(handle, FENCE_WRITE));
    Ok(())
}

/// A closed handle fails with ENOENT, although its buffer lives on as a dma-buf.
fn attach_closed_handle(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    works!(file.gem_close(handle));
    refuses!(file.attach(handle, 0), NOENT);
    same!(works!(ready(&buffer)), PollFlags::IN | PollFlags::OUT);
    Ok(())
}

/// Any flags fail with EINVAL, and the fence is not consumed.
fn signal_with_flags_is_refused(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let fence = works!(file.attach(works!(file.pages(1)), 0));
    for flags in [1, 2, u32::MAX] {
        refuses!(file.ioctl(&uapi::VGEM_FENCE_SIGNAL, FenceSignal { fence, flags }), INVAL);
    }
    works!(file.signal(fence));
    Ok(())
}

/// Signalling fence zero or a number never given fails with ENOENT.
fn signal_unknown(guest: &Guest) -> Outcome {
    for file in [guest.open()?, guest.open_render()?] {
        for unknown in [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            refuses!(file.signal(unknown), NOENT);
        }
    }
    let file = guest.open()?;
    works!(file.signal(works!(file.attach(works!(file.pages(1)), 0))));
    Ok(())
}

/// Signalling another file's fence fails with ENOENT: a fence belongs to the file that attached it.
fn signal_other_files_fence(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let fence = works!(file.attach(works!(file.pages(1)), 0));
    refuses!(other.signal(fence), NOENT);
    works!(file.signal(fence));
    Ok(())
}

/// Signalling a fence twice fails with ENOENT, since the first signal consumes it.
fn signal_twice(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let fence = works!(file.attach(works!(file.pages(1)), FENCE_WRITE));
    works!(file.signal(fence));
    refuses!(file.signal(fence), NOENT);
    refuses!(file.signal(fence), NOENT);
    Ok(())
}

/// Numbers count from 1 in each file, and a consumed one is not reused.
fn numbers_are_not_used_again(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let handle = works!(file.pages(1));
    for expected in 1..=5 {
        let fence = works!(file.attach(handle, FENCE_WRITE));
        same!(fence, expected);
        works!(file.signal(fence));
    }
    same!(works!(other.attach(works!(other.pages(1)), 0)), 1);
    Ok(())
}

/// The value of `out_fence` before the call does not matter: it is output only.
fn incoming_number_is_ignored(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let wanted = FenceAttach { handle, flags: 0, out_fence: u32::MAX, pad: 0 };
    same!(works!(file.ioctl(&uapi::VGEM_FENCE_ATTACH, wanted)).out_fence, 1);
    Ok(())
}
