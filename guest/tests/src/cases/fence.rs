// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Fences of vgem, and their conflicts on one buffer.
//!
//! Source: `drivers/gpu/drm/vgem/vgem_fence.c`, `drivers/dma-buf/dma-buf.c`, `drivers/dma-buf/sync_file.c` (Linux 7.3).

pub(crate) mod arguments;
pub(crate) mod sync_file;
pub(crate) mod waiting;

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::PollFlags;
use uapi::{CLOEXEC, FENCE_WRITE};

use crate::harness::check::{Outcome, skip};
use crate::harness::slabs::finds_leaks;
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::{refuses, same, works};

crate::cases::cases! {
    "fence":
    write_blocks_everybody, read_blocks_writers, write_after_write, read_after_write, write_after_read, read_after_read,
    other_buffers_are_not_blocked, conflict_through_another_file, conflict_keeps_no_number, out_of_order, many_fences,
    half_a_million_fence_numbers_are_used within 120,
}

/// Creates a buffer of one page. Returns its handle and its dma-buf.
fn buffer(file: &DrmFile) -> Outcome<(u32, OwnedFd)> {
    let handle = works!(file.pages(1));
    Ok((handle, works!(file.export(handle, CLOEXEC))))
}

/// Returns the events for which the buffer is ready now.
fn ready(buffer: impl AsFd) -> sys::Answer<PollFlags> {
    sys::poll(buffer, PollFlags::IN | PollFlags::OUT, 0)
}

/// A write fence blocks all readers and writers until it is signalled.
fn write_blocks_everybody(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    let fence = works!(file.attach(handle, FENCE_WRITE));
    same!(works!(ready(&buffer)), PollFlags::empty());
    works!(file.signal(fence));
    same!(works!(ready(&buffer)), PollFlags::IN | PollFlags::OUT);
    Ok(())
}

/// A read fence blocks writers, but not other readers.
fn read_blocks_writers(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    let fence = works!(file.attach(handle, 0));
    same!(works!(ready(&buffer)), PollFlags::IN);
    works!(file.signal(fence));
    same!(works!(ready(&buffer)), PollFlags::IN | PollFlags::OUT);
    Ok(())
}

/// A second write fence fails with `EBUSY`.
fn write_after_write(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let fence = works!(file.attach(handle, FENCE_WRITE));
    refuses!(file.attach(handle, FENCE_WRITE), BUSY);
    works!(file.signal(fence));
    works!(file.attach(handle, FENCE_WRITE));
    Ok(())
}

/// A read fence fails with `EBUSY` while there is a write fence.
fn read_after_write(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let fence = works!(file.attach(handle, FENCE_WRITE));
    refuses!(file.attach(handle, 0), BUSY);
    works!(file.signal(fence));
    works!(file.attach(handle, 0));
    Ok(())
}

/// A write fence fails with `EBUSY` while there is a read fence.
fn write_after_read(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let fence = works!(file.attach(handle, 0));
    refuses!(file.attach(handle, FENCE_WRITE), BUSY);
    works!(file.signal(fence));
    works!(file.attach(handle, FENCE_WRITE));
    Ok(())
}

/// Read fences do not exclude each other. After the last one, a write fence is possible.
fn read_after_read(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    let (first, second) = (works!(file.attach(handle, 0)), works!(file.attach(handle, 0)));
    works!(file.signal(first));
    same!(works!(ready(&buffer)), PollFlags::IN);
    refuses!(file.attach(handle, FENCE_WRITE), BUSY);
    works!(file.signal(second));
    works!(file.attach(handle, FENCE_WRITE));
    Ok(())
}

/// A fence blocks only its own buffer.
fn other_buffers_are_not_blocked(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let ((first, _), (second, other)) = (buffer(&file)?, buffer(&file)?);
    works!(file.attach(first, FENCE_WRITE));
    same!(works!(ready(&other)), PollFlags::IN | PollFlags::OUT);
    works!(file.attach(second, FENCE_WRITE));
    Ok(())
}

/// A conflicting fence through another file fails with `EBUSY`: the buffer is busy, whichever file has it.
fn conflict_through_another_file(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open_render()?);
    let (handle, buffer) = buffer(&file)?;
    let theirs = works!(other.import(&buffer));
    let fence = works!(file.attach(handle, FENCE_WRITE));
    refuses!(other.attach(theirs, 0), BUSY);
    works!(file.signal(fence));
    works!(other.attach(theirs, 0));
    refuses!(file.attach(handle, FENCE_WRITE), BUSY);
    Ok(())
}

/// A refused fence has no number and does not block the buffer.
fn conflict_keeps_no_number(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    let first = works!(file.attach(handle, 0));
    for _ in 0..10 {
        refuses!(file.attach(handle, FENCE_WRITE), BUSY);
    }
    works!(file.signal(first));
    same!(works!(ready(&buffer)), PollFlags::IN | PollFlags::OUT);
    same!(works!(file.attach(handle, FENCE_WRITE)), first + 1);
    Ok(())
}

/// Fences can be signalled in any order: each has a timeline of its own.
fn out_of_order(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let buffers = [buffer(&file)?, buffer(&file)?, buffer(&file)?];
    let mut fences = Vec::new();
    for (handle, _) in &buffers {
        fences.push(works!(file.attach(*handle, FENCE_WRITE)));
    }
    for at in [2, 0, 1] {
        same!(works!(ready(&buffers[at].1)), PollFlags::empty());
        works!(file.signal(fences[at]));
        same!(works!(ready(&buffers[at].1)), PollFlags::IN | PollFlags::OUT);
    }
    Ok(())
}

/// There can be hundreds of fences on one buffer and on many. Closing the file signals those that are left.
fn many_fences(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, shared) = buffer(&file)?;
    for turn in 0..300 {
        let fence = works!(file.attach(handle, 0));
        // At once: a fence lasts ten seconds, and a slow kernel may need longer for all of them.
        if turn % 2 == 0 {
            works!(file.signal(fence));
        }
    }
    same!(works!(ready(&shared)), PollFlags::IN);
    drop(file);
    same!(works!(ready(&shared)), PollFlags::IN | PollFlags::OUT);
    Ok(())
}

/// A client can use more fence numbers than a single allocation could hold.
fn half_a_million_fence_numbers_are_used(guest: &Guest) -> Outcome {
    if finds_leaks() {
        return skip("a million calls take ten minutes on this kernel; the stock kernel runs this case");
    }
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    // At eight bytes each, the numbers exceed the 4 MiB that the kernel can allocate at once.
    for number in 1..530_000 {
        same!(works!(file.attach(handle, FENCE_WRITE)), number);
        works!(file.signal(number));
    }
    refuses!(file.signal(1), NOENT);
    Ok(())
}
