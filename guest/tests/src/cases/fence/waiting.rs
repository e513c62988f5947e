// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Waiters for a fence are woken by its signal, the close of its file, or its time limit (L19).
//!
//! Source: `drivers/gpu/drm/vgem/vgem_fence.c`, `drivers/dma-buf/dma-buf.c`, `drivers/dma-buf/sync_file.c` (Linux 7.3).

use std::time::Instant;

use rustix::event::PollFlags;
use sys::pace::patient_ms;
use uapi::{FENCE_WRITE, SYNC_READ, SYNC_WRITE};

use crate::harness::check::Outcome;
use crate::subjects::device;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

use super::{buffer, ready};

crate::cases::cases! {
    "fence":
    signal_wakes_a_waiter, write_waiter_waits_for_all_readers, cpu_access_waits, close_signals,
    close_wakes_a_waiter, handle_closed_while_pending, times_out_after_ten_seconds within 40,
}

/// Time limit of a wait that must be woken, in milliseconds. It is below the ten seconds after which vgem signals a
/// fence by itself, so it does not grow with the host's load. A waiter that is not woken returns without an event.
const BEFORE_ITS_LIMIT: u64 = 9000;

/// Waits until a thread of this process is asleep.
pub(crate) fn until_asleep(thread: rustix::thread::Pid) -> Outcome {
    let path = format!("/proc/self/task/{}/stat", thread.as_raw_nonzero());
    loop {
        let stat = std::fs::read_to_string(&path)?;
        // The state follows the name, which is in parentheses.
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        if matches!(state, Some('S' | 'D')) {
            return Ok(());
        }
        std::thread::yield_now();
    }
}

/// Runs `wait` in a second thread, and `wake` once that thread is asleep.
pub(crate) fn woken<T: Send>(wait: impl FnOnce() -> T + Send, wake: impl FnOnce() -> Outcome) -> Outcome<T> {
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let waiter = scope.spawn(move || {
            sender.send(rustix::thread::gettid()).expect("the receiver outlives the thread");
            wait()
        });
        let thread = receiver.recv().expect("the thread sends before it waits");
        until_asleep(thread)?;
        wake()?;
        Ok(waiter.join().expect("the waiter does not panic"))
    })
}

/// A signal wakes a thread that sleeps in poll(2) on the dma-buf.
fn signal_wakes_a_waiter(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    for events in [PollFlags::IN, PollFlags::OUT] {
        let fence = works!(file.attach(handle, FENCE_WRITE));
        let wait = || sys::poll(&buffer, events, BEFORE_ITS_LIMIT);
        let wake = || {
            works!(file.signal(fence));
            Ok(())
        };
        same!(works!(woken(wait, wake)?), events);
    }
    Ok(())
}

/// A waiter that wants to write sleeps until the last read fence is signalled.
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
    same!(works!(woken(|| sys::poll(&buffer, PollFlags::OUT, BEFORE_ITS_LIMIT), wake)?), PollFlags::OUT);
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
    works!(woken(|| device::dma_buf_sync(&buffer, SYNC_READ), wake)?);
    Ok(())
}

/// L14: closing a file signals its fences without an error.
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

/// Closing the file that attached a fence wakes a waiter on the dma-buf.
fn close_wakes_a_waiter(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    works!(file.attach(handle, FENCE_WRITE));
    let wake = move || {
        drop(file);
        Ok(())
    };
    same!(works!(woken(|| sys::poll(&buffer, PollFlags::IN, BEFORE_ITS_LIMIT), wake)?), PollFlags::IN);
    Ok(())
}

/// Closing the handle does not signal the fence, which belongs to the file.
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

/// After ten seconds a fence is signalled without the client, whose own signal then returns ETIMEDOUT once.
fn times_out_after_ten_seconds(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let (handle, buffer) = buffer(&file)?;
    let start = Instant::now();
    let sync_file = {
        let fence = works!(file.attach(handle, FENCE_WRITE));
        same!(fence, 1);
        works!(device::export_sync_file(&buffer, SYNC_WRITE))
    };
    let limit = 10_000 + patient_ms(3_000);
    same!(works!(sys::poll(&buffer, PollFlags::OUT, (2 * limit).into())), PollFlags::OUT);
    let took = start.elapsed().as_millis();
    // The limit may be a jiffy early, since the running jiffy counts as a whole.
    holds!((9_990..limit.into()).contains(&took), "the limit is ten seconds, not {took} ms");
    same!(works!(device::fence_of(&sync_file)).status, 1);
    refuses!(file.signal(1), TIMEDOUT);
    refuses!(file.signal(1), NOENT);
    works!(file.attach(handle, FENCE_WRITE));
    Ok(())
}
