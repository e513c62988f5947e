// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! vgem's fences: attaching, conflicts, signalling, waiting, the time limit (L14, L19).
//!
//! Source: `drivers/gpu/drm/vgem/vgem_fence.c`, `drivers/dma-buf/dma-buf.c`,
//! `drivers/dma-buf/sync_file.c` (Linux 7.3).

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::check::Outcome;
use crate::device::{self, DrmFile};
use crate::guest::Guest;
use crate::sys;
use crate::uapi::{self, CLOEXEC, FENCE_WRITE, FenceAttach, FenceSignal, SYNC_READ, SYNC_WRITE};
use crate::{holds, refuses, same, works};

super::cases! {
    "fence":
    attach_wrong_flags, attach_padding, attach_unknown_handle, attach_other_files_handle,
    attach_closed_handle, signal_wrong_flags, signal_unknown, signal_other_files_fence,
    signal_twice, numbers_are_not_used_again, incoming_number_is_ignored,
    write_blocks_everybody, read_blocks_writers, write_after_write, read_after_write,
    write_after_read, read_after_read, other_buffers_are_not_blocked, conflict_through_another_file,
    conflict_keeps_no_number, out_of_order, signal_wakes_a_waiter, write_waiter_waits_for_all_readers,
    cpu_access_waits, close_signals, close_wakes_a_waiter, handle_closed_while_pending,
    sync_file_names, sync_file_follows_the_fence, sync_file_as_a_fence_elsewhere,
    many_fences, times_out_after_ten_seconds within 40,
}

/// A buffer of one page with its handle and its dma-buf.
fn buffer(file: &DrmFile) -> Outcome<(u32, OwnedFd)> {
    let handle = works!(file.pages(1));
    Ok((handle, works!(file.export(handle, CLOEXEC))))
}

/// What the buffer is ready for now.
fn ready(buffer: impl AsFd) -> sys::Answer<PollFlags> {
    sys::poll(buffer, PollFlags::IN | PollFlags::OUT, 0)
}

/// Whether a thread of this process is asleep, waited for until it is.
fn until_asleep(thread: rustix::thread::Pid) -> Outcome {
    let path = format!("/proc/self/task/{}/stat", thread.as_raw_nonzero());
    loop {
        let stat = std::fs::read_to_string(&path)?;
        // The state follows the name, which stands in parentheses.
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        if matches!(state, Some('S' | 'D')) {
            return Ok(());
        }
        std::thread::yield_now();
    }
}

/// Runs `wait` in a second thread, and `wake` once that thread is asleep.
pub(crate) fn woken<T: Send>(
    wait: impl FnOnce() -> T + Send,
    wake: impl FnOnce() -> Outcome,
) -> Outcome<(T, Duration)> {
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let waiter = scope.spawn(move || {
            sender.send(rustix::thread::gettid()).expect("the receiver outlives the thread");
            wait()
        });
        let thread = receiver.recv().expect("the thread sends before it waits");
        until_asleep(thread)?;
        let start = Instant::now();
        wake()?;
        let got = waiter.join().expect("the waiter does not panic");
        Ok((got, start.elapsed()))
    })
}

/// EINVAL: everything but `VGEM_FENCE_WRITE`, before the handle is looked at.
fn attach_wrong_flags(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    for flags in [2, 3, 4, 0x8000_0000, u32::MAX] {
        refuses!(file.attach(handle, flags), INVAL);
        refuses!(file.attach(0, flags), INVAL);
    }
    Ok(())
}

/// EINVAL: `pad` is zero.
fn attach_padding(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    for pad in [1, u32::MAX] {
        let wanted = FenceAttach { handle, pad, ..Default::default() };
        refuses!(file.ioctl(&uapi::VGEM_FENCE_ATTACH, wanted), INVAL);
    }
    works!(file.attach(handle, FENCE_WRITE));
    Ok(())
}

/// ENOENT: zero and numbers never given, on both nodes.
fn attach_unknown_handle(guest: &Guest) -> Outcome {
    for file in [guest.open()?, guest.open_render()?] {
        for unknown in [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            refuses!(file.attach(unknown, 0), NOENT);
            refuses!(file.attach(unknown, FENCE_WRITE), NOENT);
        }
    }
    Ok(())
}

/// ENOENT: a handle of another file of the same process.
fn attach_other_files_handle(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let handle = works!(file.pages(1));
    refuses!(other.attach(handle, FENCE_WRITE), NOENT);
    works!(file.attach(handle, FENCE_WRITE));
    Ok(())
}

/// ENOENT: a handle that was closed, though its buffer lives on as a dma-buf.
fn attach_closed_handle(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    works!(file.gem_close(handle));
    refuses!(file.attach(handle, 0), NOENT);
    same!(works!(ready(&buffer)), PollFlags::IN | PollFlags::OUT);
    Ok(())
}

/// EINVAL: there are no flags, and the fence is not consumed.
fn signal_wrong_flags(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let fence = works!(file.attach(works!(file.pages(1)), 0));
    for flags in [1, 2, u32::MAX] {
        refuses!(file.ioctl(&uapi::VGEM_FENCE_SIGNAL, FenceSignal { fence, flags }), INVAL);
    }
    works!(file.signal(fence));
    Ok(())
}

/// ENOENT: zero and numbers never given.
fn signal_unknown(guest: &Guest) -> Outcome {
    for file in [guest.open()?, guest.open_render()?] {
        for unknown in [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            refuses!(file.signal(unknown), NOENT);
        }
    }
    Ok(())
}

/// ENOENT: fences belong to the file that attached them.
fn signal_other_files_fence(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let fence = works!(file.attach(works!(file.pages(1)), 0));
    refuses!(other.signal(fence), NOENT);
    works!(file.signal(fence));
    Ok(())
}

/// ENOENT: signalling consumes the fence.
fn signal_twice(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let fence = works!(file.attach(works!(file.pages(1)), FENCE_WRITE));
    works!(file.signal(fence));
    refuses!(file.signal(fence), NOENT);
    refuses!(file.signal(fence), NOENT);
    Ok(())
}

/// Numbers count from 1 in each file; a consumed one does not come back.
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

/// `out_fence` is an answer: what stands there before does not matter.
fn incoming_number_is_ignored(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let wanted = FenceAttach { handle, flags: 0, out_fence: u32::MAX, pad: 0 };
    same!(works!(file.ioctl(&uapi::VGEM_FENCE_ATTACH, wanted)).out_fence, 1);
    Ok(())
}

/// A write fence: nobody may read or write until it is signalled.
fn write_blocks_everybody(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    let fence = works!(file.attach(handle, FENCE_WRITE));
    same!(works!(ready(&buffer)), PollFlags::empty());
    works!(file.signal(fence));
    same!(works!(ready(&buffer)), PollFlags::IN | PollFlags::OUT);
    Ok(())
}

/// A read fence: others may read, nobody may write.
fn read_blocks_writers(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    let fence = works!(file.attach(handle, 0));
    same!(works!(ready(&buffer)), PollFlags::IN);
    works!(file.signal(fence));
    same!(works!(ready(&buffer)), PollFlags::IN | PollFlags::OUT);
    Ok(())
}

/// EBUSY: one writer at a time.
fn write_after_write(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let fence = works!(file.attach(handle, FENCE_WRITE));
    refuses!(file.attach(handle, FENCE_WRITE), BUSY);
    works!(file.signal(fence));
    works!(file.attach(handle, FENCE_WRITE));
    Ok(())
}

/// EBUSY: no reader while somebody writes.
fn read_after_write(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let fence = works!(file.attach(handle, FENCE_WRITE));
    refuses!(file.attach(handle, 0), BUSY);
    works!(file.signal(fence));
    works!(file.attach(handle, 0));
    Ok(())
}

/// EBUSY: no writer while somebody reads.
fn write_after_read(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let fence = works!(file.attach(handle, 0));
    refuses!(file.attach(handle, FENCE_WRITE), BUSY);
    works!(file.signal(fence));
    works!(file.attach(handle, FENCE_WRITE));
    Ok(())
}

/// Readers do not exclude each other; the last one lets a writer in.
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

/// A fence is about its buffer only.
fn other_buffers_are_not_blocked(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let ((first, _), (second, other)) = (buffer(&file)?, buffer(&file)?);
    works!(file.attach(first, FENCE_WRITE));
    same!(works!(ready(&other)), PollFlags::IN | PollFlags::OUT);
    works!(file.attach(second, FENCE_WRITE));
    Ok(())
}

/// EBUSY: it is the buffer that is busy, whoever has it.
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

/// A refused fence leaves no number and does not block the buffer.
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

/// Fences are independent of each other: each has a timeline of its own.
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

/// Somebody asleep in poll(2) on the dma-buf is woken.
fn signal_wakes_a_waiter(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    for events in [PollFlags::IN, PollFlags::OUT] {
        let fence = works!(file.attach(handle, FENCE_WRITE));
        let wait = || sys::poll(&buffer, events, 9000);
        let wake = || {
            works!(file.signal(fence));
            Ok(())
        };
        let (got, took) = woken(wait, wake)?;
        same!(works!(got), events);
        holds!(took < Duration::from_secs(5), "woken by the signal, not by the limit: {took:?}");
    }
    Ok(())
}

/// Somebody who wants to write sleeps until the last reader is done.
fn write_waiter_waits_for_all_readers(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    let fences: Vec<u32> = works!((0..3).map(|_| file.attach(handle, 0)).collect());
    let wake = || {
        works!(file.signal(fences[1]));
        works!(file.signal(fences[0]));
        same!(works!(device::writable_now(&buffer)), false);
        works!(file.signal(fences[2]));
        Ok(())
    };
    let (got, took) = woken(|| sys::poll(&buffer, PollFlags::OUT, 9000), wake)?;
    same!(works!(got), PollFlags::OUT);
    holds!(took < Duration::from_secs(5), "woken by the signal, not by the limit: {took:?}");
    Ok(())
}

/// `DMA_BUF_IOCTL_SYNC` before CPU access sleeps until the fence is signalled.
fn cpu_access_waits(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    let fence = works!(file.attach(handle, FENCE_WRITE));
    let wake = || {
        works!(file.signal(fence));
        Ok(())
    };
    let (got, took) = woken(|| device::dma_buf_sync(&buffer, SYNC_READ), wake)?;
    works!(got);
    holds!(took < Duration::from_secs(5), "woken by the signal, not by the limit: {took:?}");
    Ok(())
}

/// L14: a file that is closed takes its fences with it, signalled without an error.
fn close_signals(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open()?);
    let (handle, buffer) = buffer(&other)?;
    let theirs = works!(file.import(&buffer));
    works!(file.attach(theirs, FENCE_WRITE));
    let sync_file = works!(device::export_sync_file(&buffer, SYNC_WRITE));
    same!(works!(ready(&buffer)), PollFlags::empty());
    drop(file);
    same!(works!(device::fence_of(&sync_file)).status, 1);
    same!(works!(ready(&buffer)), PollFlags::IN | PollFlags::OUT);
    works!(other.attach(handle, FENCE_WRITE));
    Ok(())
}

/// Somebody asleep on the dma-buf is woken when the file that attached is closed.
fn close_wakes_a_waiter(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    works!(file.attach(handle, FENCE_WRITE));
    let wake = move || {
        drop(file);
        Ok(())
    };
    let (got, took) = woken(|| sys::poll(&buffer, PollFlags::IN, 9000), wake)?;
    same!(works!(got), PollFlags::IN);
    holds!(took < Duration::from_secs(5), "woken by the close, not by the limit: {took:?}");
    Ok(())
}

/// The fence is the file's, not the handle's.
fn handle_closed_while_pending(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    let fence = works!(file.attach(handle, FENCE_WRITE));
    works!(file.gem_close(handle));
    same!(works!(ready(&buffer)), PollFlags::empty());
    works!(file.signal(fence));
    same!(works!(ready(&buffer)), PollFlags::IN | PollFlags::OUT);
    Ok(())
}

/// The text of a field that ends with a zero byte.
pub(crate) fn text(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end]).unwrap_or("?")
}

/// While a fence is pending a sync file tells its driver and timeline, as `vgem` always had them.
fn sync_file_names(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    works!(file.attach(handle, FENCE_WRITE));
    let fence = works!(device::fence_of(&works!(device::export_sync_file(&buffer, SYNC_READ))));
    same!((text(&fence.driver_name), text(&fence.obj_name)), ("vgem", "unbound"));
    same!((fence.status, fence.timestamp_ns), (0, 0));
    Ok(())
}

/// L19: signalled without an error, with a time, and detached from the driver.
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
    holds!(fence.timestamp_ns > 0, "the time of signalling is told");
    Ok(())
}

/// A fence carried over by sync file blocks the other buffer, for `attach` as well.
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

/// Hundreds of fences on one buffer and on many, half of them left to the close.
fn many_fences(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, shared) = buffer(&file)?;
    let fences: Vec<u32> = works!((0..300).map(|_| file.attach(handle, 0)).collect());
    for fence in fences.iter().step_by(2) {
        works!(file.signal(*fence));
    }
    same!(works!(ready(&shared)), PollFlags::IN);
    drop(file);
    same!(works!(ready(&shared)), PollFlags::IN | PollFlags::OUT);
    Ok(())
}

/// ETIMEDOUT: after ten seconds a fence is signalled without the client, who learns it once.
fn times_out_after_ten_seconds(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    let sync_file = {
        let fence = works!(file.attach(handle, FENCE_WRITE));
        same!(fence, 1);
        works!(device::export_sync_file(&buffer, SYNC_WRITE))
    };
    let start = Instant::now();
    same!(works!(sys::poll(&buffer, PollFlags::OUT, 20_000)), PollFlags::OUT);
    let took = start.elapsed().as_millis();
    holds!((9_500..13_000).contains(&took), "the limit is ten seconds, not {took} ms");
    same!(works!(device::fence_of(&sync_file)).status, 1);
    refuses!(file.signal(1), TIMEDOUT);
    refuses!(file.signal(1), NOENT);
    works!(file.attach(handle, FENCE_WRITE));
    Ok(())
}
