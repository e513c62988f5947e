// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Events: reserved early, sent later, read by the client (L14).
//!
//! Source: `drm_read`, `drm_poll`, `drm_event_reserve_init`, `drm_events_release` in
//! `drivers/gpu/drm/drm_file.c` (Linux 7.3).

use rustix::io::Errno;

use super::super::fence::waiting::woken;
use super::*;
use crate::{refuses, same, works};

crate::cases::cases! {
    "event":
    reserved_event_is_not_readable, sent_event_has_its_latest_payload, read_in_order, not_read_in_parts, wakes_a_reader,
    reserve_beyond_event_space_fails_with_enomem, cancelled_gives_space_back,
    read_frees_the_event_space_and_send_does_not, signals_its_fence, cancelled_cancels_its_fence, l14_reserved_at_close,
    l14_unread_at_close, l14_send_after_close_signals_the_fence, l14_cancelled_after_the_close, l6_read_after_unbind,
    l3_dropped_with_the_device,
}

const ECANCELED: u32 = 125;
/// The size of an event: header and payload.
const SIZE: usize = 24;
/// The number of events for which a file has room.
const ROOM: usize = 4096 / SIZE;

/// An event as read(2) returns it.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    kind: u32,
    length: u32,
    cookie: u64,
    changed: u32,
}

/// Whether there is an event to read.
fn readable(file: &DrmFile) -> Answer<bool> {
    Ok(sys::poll(file, PollFlags::IN, 0)?.contains(PollFlags::IN))
}

/// Reads the available events, as far as they fit into `room` bytes.
fn read(file: &DrmFile, room: usize) -> Answer<Vec<Told>> {
    if !readable(file)? {
        return Ok(Vec::new());
    }
    read_or_sleep(file, room)
}

fn read_or_sleep(file: &DrmFile, room: usize) -> Answer<Vec<Told>> {
    let mut bytes = vec![0; room];
    let len = rustix::io::read(file, &mut bytes)?;
    if len % SIZE != 0 {
        return Err(Errno::BADMSG);
    }
    let word = |event: &[u8], at: usize| u32::from_ne_bytes(event[at..at + 4].try_into().expect("four bytes"));
    let told = |event: &[u8]| Told {
        kind: word(event, 0),
        length: word(event, 4),
        cookie: u64::from_ne_bytes(event[8..16].try_into().expect("eight bytes")),
        changed: word(event, 16),
    };
    Ok(bytes[..len].chunks_exact(SIZE).map(told).collect())
}

fn sent(cookie: u64) -> Told {
    Told { kind: EVENT_FINISHED, length: SIZE as u32, cookie, changed: 1 }
}

/// Reserves events until there is no room, and returns how many.
fn fill(file: &DrmFile) -> Answer<usize> {
    for count in 0..2 * ROOM {
        match file.reserve(count as u64, 0) {
            Ok(()) => {}
            Err(Errno::NOMEM) => return Ok(count),
            Err(errno) => return Err(errno),
        }
    }
    Ok(usize::MAX)
}

/// A reserved event cannot be read before it is sent.
fn reserved_event_is_not_readable(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    works!(file.reserve(1, 0));
    same!(works!(readable(&file)), false);
    works!(file.notify(EVENTS_SEND));
    same!(works!(readable(&file)), true);
    same!(works!(readable(&open(guest)?)), false);
    Ok(())
}

/// An event has type, length and payload, including what the driver wrote after it was reserved.
fn sent_event_has_its_latest_payload(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    works!(file.reserve(0x1234_5678_9abc_def0, 0));
    works!(file.notify(EVENTS_SEND));
    same!(works!(read(&file, 4096)), [sent(0x1234_5678_9abc_def0)]);
    same!(works!(readable(&file)), false);
    Ok(())
}

/// Events are read in order, as many as fit.
fn read_in_order(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    for cookie in 0..5 {
        works!(file.reserve(cookie, 0));
    }
    works!(file.notify(EVENTS_SEND));
    same!(works!(read(&file, 2 * SIZE + 5)), [sent(0), sent(1)]);
    same!(works!(read(&file, 4096)), [sent(2), sent(3), sent(4)]);
    Ok(())
}

/// A read without room for the next event returns nothing and leaves the event.
fn not_read_in_parts(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    works!(file.reserve(3, 0));
    works!(file.notify(EVENTS_SEND));
    for room in [0, 8, SIZE - 1] {
        same!(works!(read(&file, room)), []);
    }
    same!(works!(read(&file, SIZE)), [sent(3)]);
    Ok(())
}

/// An event wakes a thread that sleeps in read(2), and one that sleeps in poll(2).
fn wakes_a_reader(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let send = |cookie| {
        works!(file.reserve(cookie, 0));
        works!(file.notify(EVENTS_SEND));
        Ok(())
    };
    same!(works!(woken(|| read_or_sleep(&file, 4096), || send(1))?), [sent(1)]);
    same!(works!(woken(|| sys::poll(&file, PollFlags::IN, long_ms()), || send(2))?), PollFlags::IN);
    Ok(())
}

/// A reservation beyond 4096 bytes of a file's reserved or unread events fails with ENOMEM; another file has its own
/// space.
fn reserve_beyond_event_space_fails_with_enomem(guest: &Guest) -> Outcome {
    let (file, other) = (open(guest)?, open(guest)?);
    same!(works!(fill(&file)), ROOM);
    refuses!(file.reserve(0, 0), NOMEM);
    works!(other.reserve(0, 0));
    Ok(())
}

/// Cancelling the reserved events frees all of the space.
fn cancelled_gives_space_back(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    for _ in 0..3 {
        same!(works!(fill(&file)), ROOM);
        works!(file.notify(EVENTS_DROP));
    }
    same!(works!(readable(&file)), false);
    Ok(())
}

/// Sending an event frees no space, since the client has not read it.
fn read_frees_the_event_space_and_send_does_not(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    same!(works!(fill(&file)), ROOM);
    works!(file.notify(EVENTS_SEND));
    refuses!(file.reserve(0, 0), NOMEM);
    same!(works!(read(&file, 3 * SIZE)).len(), 3);
    same!(works!(fill(&file)), 3);
    same!(works!(read(&file, 8192)).len(), ROOM - 3);
    Ok(())
}

/// Sending an event signals the fence that it carries.
fn signals_its_fence(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let fence = works!(file.issue_new(0, 0));
    works!(file.reserve(8, fence.id));
    refuses!(file.status(fence.syncobj), TIME);
    refuses!(file.end(fence.id, END_SIGNAL, 0), INVAL);
    works!(file.notify(EVENTS_SEND));
    same!(works!(file.status(fence.syncobj)), 0);
    same!(works!(read(&file, 4096)), [sent(8)]);
    Ok(())
}

/// The fence of a cancelled event ends with ECANCELED: the event will not come, so the work was not done.
fn cancelled_cancels_its_fence(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let fence = works!(file.issue_new(0, 0));
    works!(file.reserve(8, fence.id));
    works!(file.notify(EVENTS_DROP));
    same!(works!(file.status(fence.syncobj)), ECANCELED);
    Ok(())
}

/// Events that the file's data keeps are dropped with it, and their fences end.
fn l14_reserved_at_close(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let before = users()?;
    let fence = works!(file.issue_new(0, 0));
    let sync_file = works!(file.sync_file(fence.syncobj));
    works!(file.reserve(8, fence.id));
    works!(fill(&file));
    drop(file);
    same!(works!(status_of(&sync_file)), -(ECANCELED as i32));
    same!(users()?, before - 1);
    Ok(())
}

/// Unread events are freed with the file.
fn l14_unread_at_close(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let before = users()?;
    works!(fill(&file));
    works!(file.notify(EVENTS_SEND));
    drop(file);
    same!(users()?, before - 1);
    Ok(())
}

/// An event that is sent after its file's close is not read, but its fence is signalled.
fn l14_send_after_close_signals_the_fence(guest: &Guest) -> Outcome {
    let (file, other) = (open(guest)?, open(guest)?);
    let fence = works!(file.issue_new(0, 0));
    let sync_file = works!(file.sync_file(fence.syncobj));
    works!(file.reserve(1, fence.id));
    works!(file.reserve(2, 0));
    works!(file.notify(EVENTS_HAND_OVER));
    drop(file);
    same!(works!(status_of(&sync_file)), 0);
    works!(other.notify(EVENTS_SEND));
    same!(works!(status_of(&sync_file)), 1);
    same!(works!(readable(&other)), false);
    drop(other);
    unload_soon()?;
    open(guest).map(drop)
}

/// An event can be cancelled after its file's close.
fn l14_cancelled_after_the_close(guest: &Guest) -> Outcome {
    let (file, other) = (open(guest)?, open(guest)?);
    works!(fill(&file));
    works!(file.notify(EVENTS_HAND_OVER));
    drop(file);
    works!(other.notify(EVENTS_DROP));
    same!(works!(fill(&other)), ROOM);
    Ok(())
}

/// An event that was sent before the unbind can be read after it.
fn l6_read_after_unbind(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    works!(file.reserve(7, 0));
    works!(file.notify(EVENTS_SEND));
    works!(unbind());
    same!(works!(read(&file, 4096)), [sent(7)]);
    refuses!(file.reserve(8, 0), NODEV);
    drop(file);
    works!(bind());
    Ok(())
}

/// Events that the device's data keeps are cancelled with it, although their file is open.
fn l3_dropped_with_the_device(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let fence = works!(file.issue_new(0, 0));
    let sync_file = works!(file.sync_file(fence.syncobj));
    works!(file.reserve(1, fence.id));
    works!(file.notify(EVENTS_HAND_OVER));
    works!(unbind());
    same!(works!(status_of(&sync_file)), -(ECANCELED as i32));
    drop(file);
    unload_soon()?;
    open(guest).map(drop)
}
