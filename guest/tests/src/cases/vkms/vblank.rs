// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Vertical blanking: counts, waits and events. Only order is judged, no time (K18, K19).
//!
//! Source: `drm_wait_vblank_ioctl`, `drm_crtc_get_sequence_ioctl`, `drm_crtc_queue_sequence_ioctl` in
//! `drivers/gpu/drm/drm_vblank.c` (Linux 7.3).

use uapi::mode::*;

use crate::cases::fence::waiting::woken;
use crate::harness::check::{Outcome, fail};
use crate::subjects::display::Display;
use crate::subjects::display::events::Event;
use crate::subjects::display::request::Request;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_vblank" for Vkms:
    count_goes_up_with_its_time, frame_time_is_that_of_the_mode, wait_returns_at_the_wanted_count, query_does_not_wait,
    wait_sends_an_event_instead, past_vblank_is_answered_at_once, missed_vblank_is_the_next_one,
    sequence_event_comes_at_its_count, relative_sequence_counts_from_now, events_come_in_the_order_of_their_vblanks,
    output_that_is_off_has_no_vblanks, output_that_goes_off_ends_its_waits, count_goes_on_after_an_output_was_off,
    wrong_requests_are_refused, event_queue_has_an_end, events_are_read_whole, event_of_a_closed_file_is_dropped,
}

fn lit(guest: &Guest) -> Outcome<Display> {
    let display = Display::open(guest)?;
    display.light(display.output())?;
    Ok(display)
}

/// The count of vblanks and the time of the last one go up together.
fn count_goes_up_with_its_time(guest: &Guest) -> Outcome {
    let display = lit(guest)?;
    let output = display.output();
    let mut last = works!(display.file.sequence(output.crtc.id));
    same!(last.active, 1);
    for _ in 0..5 {
        works!(display.file.wait_vblank(VBLANK_RELATIVE, output.pipe, 1, 0));
        let now = works!(display.file.sequence(output.crtc.id));
        holds!(now.sequence > last.sequence, "{} follows {}", now.sequence, last.sequence);
        holds!(now.sequence_ns > last.sequence_ns, "{} ns follow {} ns", now.sequence_ns, last.sequence_ns);
        last = now;
    }
    Ok(())
}

/// The time of a vblank is a whole number of frames after an earlier one's, whenever each was noticed.
fn frame_time_is_that_of_the_mode(guest: &Guest) -> Outcome {
    let display = lit(guest)?;
    let output = display.output();
    let mode = output.mode();
    let frame_ns = i64::from(mode.htotal) * i64::from(mode.vtotal) * 1_000_000 / i64::from(mode.clock);
    let first = works!(display.file.sequence(output.crtc.id));
    works!(display.file.wait_vblank(VBLANK_RELATIVE, output.pipe, 20, 0));
    let last = works!(display.file.sequence(output.crtc.id));
    let (frames, time) = (last.sequence - first.sequence, last.sequence_ns - first.sequence_ns);
    let frames = i64::try_from(frames).expect("a case is short");
    // A timer that is late counts the frames that it has missed: the average stays.
    let (least, most) = ((frames - 2) * frame_ns, (frames + 2) * frame_ns);
    holds!((least..=most).contains(&time), "{frames} frames of {frame_ns} ns took {time} ns");
    Ok(())
}

fn wait_returns_at_the_wanted_count(guest: &Guest) -> Outcome {
    let display = lit(guest)?;
    let output = display.output();
    for ahead in [1, 2, 5] {
        let before = works!(display.file.sequence(output.crtc.id)).sequence as u32;
        let relative = works!(display.file.wait_vblank(VBLANK_RELATIVE, output.pipe, ahead, 0)).sequence;
        holds!(relative.wrapping_sub(before) >= ahead, "{relative} is {ahead} after {before}");
        let wanted = relative.wrapping_add(ahead);
        let absolute = works!(display.file.wait_vblank(VBLANK_ABSOLUTE, output.pipe, wanted, 0)).sequence;
        holds!(absolute.wrapping_sub(wanted) < 1 << 31, "{absolute} is {wanted} or later");
    }
    Ok(())
}

/// Zero vblanks from now is a question for the count.
fn query_does_not_wait(guest: &Guest) -> Outcome {
    let display = lit(guest)?;
    let output = display.output();
    let reply = works!(display.file.wait_vblank(VBLANK_RELATIVE, output.pipe, 0, 0));
    let now = works!(display.file.sequence(output.crtc.id));
    holds!((now.sequence as u32).wrapping_sub(reply.sequence) < 1 << 31, "the count has not gone down");
    let reply_ns = reply.tval_sec * 1_000_000_000 + reply.tval_usec * 1000;
    holds!(reply_ns <= now.sequence_ns, "the time has not gone back");
    Ok(())
}

/// With `EVENT` the call returns at once, and the event carries the caller's number.
fn wait_sends_an_event_instead(guest: &Guest) -> Outcome {
    let display = lit(guest)?;
    let output = display.output();
    let flags = VBLANK_RELATIVE | VBLANK_EVENT;
    let reply = works!(display.file.wait_vblank(flags, output.pipe, 2, 99));
    let Event::Vblank(event) = display.next_event()? else { return fail("another event comes") };
    same!((event.user_data, event.crtc_id), (99, output.crtc.id));
    holds!(event.sequence.wrapping_sub(reply.sequence) < 1 << 31, "the event is of the wanted vblank or later");
    holds!(!display.has_event()?, "no further event comes");
    Ok(())
}

/// A count that has passed is answered at once, by call and by event.
fn past_vblank_is_answered_at_once(guest: &Guest) -> Outcome {
    let display = lit(guest)?;
    let output = display.output();
    works!(display.file.wait_vblank(VBLANK_RELATIVE, output.pipe, 2, 0));
    let past = (works!(display.file.sequence(output.crtc.id)).sequence as u32).wrapping_sub(1);
    works!(display.file.wait_vblank(VBLANK_ABSOLUTE, output.pipe, past, 0));
    works!(display.file.wait_vblank(VBLANK_ABSOLUTE | VBLANK_EVENT, output.pipe, past, 1));
    holds!(display.has_event()?, "the event is there");
    same!(display.next_event()?.user_data(), 1);
    works!(display.file.queue_sequence(output.crtc.id, 0, past.into(), 2));
    holds!(display.has_event()?, "the event is there");
    same!(display.next_event()?.user_data(), 2);
    Ok(())
}

/// `NEXTONMISS` turns a count that has passed into the next one.
fn missed_vblank_is_the_next_one(guest: &Guest) -> Outcome {
    let display = lit(guest)?;
    let output = display.output();
    let now = works!(display.file.sequence(output.crtc.id)).sequence;
    let reply = works!(display.file.wait_vblank(VBLANK_NEXTONMISS, output.pipe, now as u32, 0));
    holds!(reply.sequence.wrapping_sub(now as u32).wrapping_sub(1) < 1 << 31, "{} follows {now}", reply.sequence);
    let at = works!(display.file.queue_sequence(output.crtc.id, SEQUENCE_NEXT_ON_MISS, now, 6));
    holds!(at > now, "{at} follows {now}");
    let Event::Sequence(event) = display.next_event()? else { return fail("another event comes") };
    holds!(event.sequence >= at && event.user_data == 6, "{event:?} is of vblank {at} or later");
    Ok(())
}

fn sequence_event_comes_at_its_count(guest: &Guest) -> Outcome {
    let display = lit(guest)?;
    let crtc = display.output().crtc.id;
    let now = works!(display.file.sequence(crtc));
    same!(works!(display.file.queue_sequence(crtc, 0, now.sequence + 3, u64::MAX)), now.sequence + 3);
    let Event::Sequence(event) = display.next_event()? else { return fail("another event comes") };
    same!(event.base, EventHeader { kind: EVENT_CRTC_SEQUENCE, length: 32 });
    same!(event.user_data, u64::MAX);
    holds!(event.sequence >= now.sequence + 3, "{} is 3 after {} or later", event.sequence, now.sequence);
    holds!(event.time_ns > now.sequence_ns, "the time goes on");
    Ok(())
}

fn relative_sequence_counts_from_now(guest: &Guest) -> Outcome {
    let display = lit(guest)?;
    let crtc = display.output().crtc.id;
    let before = works!(display.file.sequence(crtc)).sequence;
    let at = works!(display.file.queue_sequence(crtc, SEQUENCE_RELATIVE, 2, 4));
    let after = works!(display.file.sequence(crtc)).sequence;
    holds!((before + 2..=after + 2).contains(&at), "{at} is 2 after a count from {before} to {after}");
    same!(display.next_event()?.user_data(), 4);
    Ok(())
}

/// Events that were requested in another order come in the order of their vblanks.
fn events_come_in_the_order_of_their_vblanks(guest: &Guest) -> Outcome {
    let display = lit(guest)?;
    let output = display.output();
    // Far enough ahead that all requests are made before the first.
    let start = works!(display.file.sequence(output.crtc.id)).sequence + 30;
    for ahead in [5, 1, 3, 2, 4] {
        works!(display.file.queue_sequence(output.crtc.id, 0, start + ahead, ahead));
    }
    if works!(display.file.sequence(output.crtc.id)).sequence > start {
        return crate::harness::check::skip("this machine is too slow: the first vblank has passed");
    }
    let mut last = 0;
    for number in 1..=5 {
        let Event::Sequence(event) = display.next_event()? else { return fail("another event comes") };
        holds!(event.sequence >= last, "the counts do not go down");
        last = event.sequence;
        holds!(event.sequence >= start + event.user_data, "event {number} is not early: {event:?}");
    }
    Ok(())
}

/// Without a picture there is no vblank: each call fails with `EINVAL`.
fn output_that_is_off_has_no_vblanks(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let refused = || -> Outcome {
        refuses!(display.file.sequence(output.crtc.id), INVAL);
        refuses!(display.file.queue_sequence(output.crtc.id, SEQUENCE_RELATIVE, 1, 0), INVAL);
        refuses!(display.file.wait_vblank(VBLANK_RELATIVE, output.pipe, 1, 0), INVAL);
        refuses!(display.file.wait_vblank(VBLANK_RELATIVE | VBLANK_EVENT, output.pipe, 1, 0), INVAL);
        Ok(())
    };
    refused()?;
    display.light(output)?;
    works!(display.file.sequence(output.crtc.id));
    works!(display.commit(&Request::new().set(&output.crtc, "ACTIVE", 0), ATOMIC_ALLOW_MODESET, 0));
    refused()?;
    holds!(!display.has_event()?, "no event comes");
    Ok(())
}

/// K18: events for vblanks far ahead are sent when the output goes off, and a waiting call returns.
fn output_that_goes_off_ends_its_waits(guest: &Guest) -> Outcome {
    let display = lit(guest)?;
    let output = display.output();
    works!(display.file.queue_sequence(output.crtc.id, SEQUENCE_RELATIVE, 1_000_000, 7));
    works!(display.file.wait_vblank(VBLANK_RELATIVE | VBLANK_EVENT, output.pipe, 1_000_000, 8));
    let off = || display.darken(output);
    let answer = woken(|| display.file.wait_vblank(VBLANK_RELATIVE, output.pipe, 1_000_000, 0), off)?;
    works!(answer);
    let mut numbers = [display.next_event()?.user_data(), display.next_event()?.user_data()];
    numbers.sort_unstable();
    same!(numbers, [7, 8]);
    holds!(!display.has_event()?, "no further event comes");
    Ok(())
}

/// The count does not begin again when the output was off.
fn count_goes_on_after_an_output_was_off(guest: &Guest) -> Outcome {
    let display = lit(guest)?;
    let output = display.output();
    let mut last = works!(display.file.wait_vblank(VBLANK_RELATIVE, output.pipe, 3, 0)).sequence;
    for _ in 0..3 {
        display.darken(output)?;
        display.light(output)?;
        let now = works!(display.file.sequence(output.crtc.id)).sequence as u32;
        holds!(now.wrapping_sub(last) < 1 << 31, "{now} is {last} or later");
        last = now;
    }
    Ok(())
}

fn wrong_requests_are_refused(guest: &Guest) -> Outcome {
    let display = lit(guest)?;
    let output = display.output();
    let pipes = works!(display.file.resources()).crtcs.len() as u32;
    for pipe in [pipes, 31] {
        refuses!(display.file.wait_vblank(VBLANK_RELATIVE, pipe, 1, 0), INVAL, " of CRTC {pipe}");
    }
    if pipes == 1 {
        refuses!(display.file.wait_vblank(VBLANK_RELATIVE | VBLANK_SECONDARY, 0, 1, 0), INVAL);
    }
    for kind in [VBLANK_SIGNAL, 0x40, 0x100, 0x8000_0000] {
        refuses!(display.file.wait_vblank(kind | VBLANK_RELATIVE, 0, 1, 0), INVAL, " of kind {kind:#x}");
    }
    for unknown in [0, output.primary.id, 0x7fff_ffff] {
        refuses!(display.file.sequence(unknown), NOENT);
        refuses!(display.file.queue_sequence(unknown, 0, 1, 0), NOENT);
    }
    for flags in [4, 8, u32::MAX] {
        refuses!(display.file.queue_sequence(output.crtc.id, flags, 1, 0), INVAL, " with flags {flags:#x}");
    }
    holds!(!display.has_event()?, "no event comes");
    Ok(())
}

/// A file has room for 4,096 bytes of events: 128 of them. The next request fails with `ENOMEM`, and a read makes room.
fn event_queue_has_an_end(guest: &Guest) -> Outcome {
    let display = lit(guest)?;
    let output = display.output();
    for number in 0..128 {
        works!(display.file.queue_sequence(output.crtc.id, 0, 0, number));
    }
    refuses!(display.file.queue_sequence(output.crtc.id, 0, 0, 128), NOMEM);
    refuses!(display.file.wait_vblank(VBLANK_RELATIVE | VBLANK_EVENT, output.pipe, 1, 0), NOMEM);
    refuses!(display.flip(output, display.shown(&output.primary)?, 0), NOMEM);
    for number in 0..128 {
        same!(display.next_event()?.user_data(), number);
    }
    works!(display.flip(output, display.shown(&output.primary)?, 5));
    same!(display.flipped()?.user_data, 5);
    Ok(())
}

/// A read without room for an event returns nothing and takes nothing. A larger one returns several events.
fn events_are_read_whole(guest: &Guest) -> Outcome {
    let display = lit(guest)?;
    let crtc = display.output().crtc.id;
    for number in 0..3 {
        works!(display.file.queue_sequence(crtc, 0, 0, number));
    }
    same!(works!(rustix::io::read(&display.file, &mut [0; 31])), 0);
    same!(works!(rustix::io::read(&display.file, &mut [0; 95])), 64);
    same!(display.next_event()?.user_data(), 2);
    Ok(())
}

/// K17: events of flips and vblanks that come when their file is closed are dropped, and disturb no other.
fn event_of_a_closed_file_is_dropped(guest: &Guest) -> Outcome {
    for _ in 0..5 {
        let display = lit(guest)?;
        let output = display.output();
        works!(display.file.queue_sequence(output.crtc.id, SEQUENCE_RELATIVE, 2, 7));
        works!(display.file.wait_vblank(VBLANK_RELATIVE | VBLANK_EVENT, output.pipe, 1, 8));
        works!(display.flip(output, display.shown(&output.primary)?, 9));
    }
    let display = lit(guest)?;
    holds!(!display.has_event()?, "the new file has no event");
    works!(display.flip(display.output(), display.shown(&display.output().primary)?, 1));
    same!(display.flipped()?.user_data, 1);
    Ok(())
}
