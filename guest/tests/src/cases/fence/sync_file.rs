// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Fences as sync files.
//!
//! Source: `drivers/gpu/drm/vgem/vgem_fence.c`, `drivers/dma-buf/dma-buf.c`,
//! `drivers/dma-buf/sync_file.c` (Linux 7.3).

use rustix::event::PollFlags;
use uapi::{FENCE_WRITE, SYNC_READ, SYNC_WRITE};

use crate::harness::check::Outcome;
use crate::subjects::device;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

use super::{buffer, ready};

crate::cases::cases! {
    "fence":
    sync_file_names, sync_file_follows_the_fence, sync_file_as_a_fence_elsewhere,
}

/// Returns the text of a field that ends with a zero byte.
pub(crate) fn text(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end]).unwrap_or("?")
}

/// A pending fence's sync file reports its driver and timeline, with the names that `vgem` always had. On another driver
/// with these ioctls, the driver is that one.
fn sync_file_names(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    works!(file.attach(handle, FENCE_WRITE));
    let fence = works!(device::fence_of(&works!(device::export_sync_file(&buffer, SYNC_READ))));
    same!((text(&fence.driver_name), text(&fence.obj_name)), (guest.driver.drm_name(), "unbound"));
    same!((fence.status, fence.timestamp_ns), (0, 0));
    Ok(())
}

/// L19: a signalled fence has no error, has a time, and is detached from the driver.
fn sync_file_follows_the_fence(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    let fence = works!(file.attach(handle, FENCE_WRITE));
    let sync_file = works!(device::export_sync_file(&buffer, SYNC_WRITE));
    same!(works!(sys::poll(&sync_file, PollFlags::IN, 0)), PollFlags::empty());
    works!(file.signal(fence));
    same!(works!(sys::poll(&sync_file, PollFlags::IN, 0)), PollFlags::IN);
    drop(file);
    let fence = works!(device::fence_of(&sync_file));
    same!((fence.status, text(&fence.driver_name)), (1, "detached-driver"));
    holds!(fence.timestamp_ns > 0, "the time of signalling is reported");
    Ok(())
}

/// A fence that is imported into another buffer as a sync file blocks that buffer, for `attach` as well.
fn sync_file_as_a_fence_elsewhere(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let ((first, from), (second, to)) = (buffer(&file)?, buffer(&file)?);
    let fence = works!(file.attach(first, FENCE_WRITE));
    let sync_file = works!(device::export_sync_file(&from, SYNC_WRITE));
    works!(device::import_sync_file(&to, SYNC_WRITE, &sync_file));
    same!(works!(ready(&to)), PollFlags::empty());
    refuses!(file.attach(second, 0), BUSY);
    works!(file.signal(fence));
    works!(file.attach(second, 0));
    Ok(())
}
