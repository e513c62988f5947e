// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Atomic commits that succeed: what they change, when they are complete, and what a check alone leaves (K7 to K17).
//!
//! Source: `drivers/gpu/drm/drm_atomic_uapi.c`, `drm_atomic.c`, `drm_atomic_helper.c` (Linux 7.3).

use uapi::mode::*;

use crate::harness::check::Outcome;
use crate::subjects::display::Display;
use crate::subjects::display::request::{Place, Request};
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_atomic" for Vkms:
    empty_commit_succeeds, test_only_changes_nothing, mode_set_shows_the_framebuffer, every_mode_can_be_set within 60,
    output_off_has_no_mode, inactive_output_keeps_its_mode, mode_set_without_permission_is_refused,
    blocking_commit_is_complete_when_it_returns, nonblocking_flip_sends_one_event, event_carries_number_crtc_and_time,
    flip_without_event_sends_none, second_flip_while_one_is_pending_fails_with_ebusy, many_flips_come_in_order within 60,
    nonblocking_mode_set_sends_its_event, event_of_an_output_that_goes_off_comes,
    event_on_an_inactive_output_is_refused, same_framebuffer_can_be_flipped_to_itself,
    plane_can_be_moved_beside_the_screen, properties_set_by_a_commit_are_read_back, planes_of_a_commit_change_together,
    output_without_a_plane_can_be_on, plane_can_be_prepared_on_an_output_that_is_off,
    offered_rotations_are_accepted, destroyed_blob_of_the_mode_stays_set,
}

/// A commit of no object has nothing to do.
fn empty_commit_succeeds(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    for flags in [0, ATOMIC_TEST_ONLY, ATOMIC_NONBLOCK, ATOMIC_ALLOW_MODESET] {
        works!(display.commit(&Request::new(), flags, 0));
    }
    holds!(!display.has_event()?, "no event comes");
    Ok(())
}

/// A check of a mode set and of a flip leaves every property as it was, and sends nothing.
fn test_only_changes_nothing(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.frame(output.size())?;
    let request = display.lit(output, &frame)?;
    let before = display.snapshot()?;
    works!(display.commit(&request, ATOMIC_TEST_ONLY | ATOMIC_ALLOW_MODESET, 0));
    works!(display.commit(&request, ATOMIC_TEST_ONLY | ATOMIC_ALLOW_MODESET | ATOMIC_NONBLOCK, 0));
    same!(display.snapshot()?, before);
    works!(display.commit(&request, ATOMIC_ALLOW_MODESET, 0));
    let (before, other) = (display.snapshot()?, display.frame(output.size())?);
    let flip = Request::new().set(&output.primary, "FB_ID", other.fb.into());
    works!(display.commit(&flip, ATOMIC_TEST_ONLY, 0));
    works!(display.commit(&Request::new().off(output), ATOMIC_TEST_ONLY | ATOMIC_ALLOW_MODESET, 0));
    same!(display.snapshot()?, before);
    holds!(!display.has_event()?, "no event comes");
    refuses!(display.commit(&flip, ATOMIC_TEST_ONLY | PAGE_FLIP_EVENT, 0), INVAL);
    Ok(())
}

/// After a mode set all properties, and the legacy calls, report the values of the commit.
fn mode_set_shows_the_framebuffer(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.light(output)?;
    let (width, height) = output.size();
    same!(display.is_on(output)?, true);
    same!(display.mode_of(output)?, Some(output.mode()));
    same!(display.shown(&output.primary)?, frame.fb);
    same!(display.value(&output.connector, "CRTC_ID")?, u64::from(output.crtc.id));
    same!(display.value(&output.primary, "CRTC_W")?, u64::from(width));
    let crtc = works!(display.file.crtc(output.crtc.id));
    same!((crtc.fb_id, crtc.x, crtc.y, crtc.mode_valid), (frame.fb, 0, 0, 1));
    same!((crtc.mode.hdisplay.into(), crtc.mode.vdisplay.into()), (width, height));
    let (plane, _) = works!(display.file.plane(output.primary.id));
    same!((plane.crtc_id, plane.fb_id), (output.crtc.id, frame.fb));
    let encoder = works!(display.file.connector(output.connector.id)).info.encoder_id;
    same!(works!(display.file.encoder(encoder)).crtc_id, output.crtc.id);
    Ok(())
}

/// Each mode of the connector can be set, by a commit that checks it first.
fn every_mode_can_be_set(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    for mode in &output.modes {
        let size = (mode.hdisplay.into(), mode.vdisplay.into());
        let (frame, blob) = (display.frame(size)?, display.mode_blob(mode)?);
        let place = Place::at((0, 0), size);
        let request = Request::new().on(output, blob).show(&output.primary, output, frame.fb, place);
        works!(display.commit(&request, ATOMIC_TEST_ONLY | ATOMIC_ALLOW_MODESET, 0));
        works!(display.commit(&request, ATOMIC_ALLOW_MODESET, 0));
        same!(display.mode_of(output)?, Some(*mode));
        display.darken(output)?;
        works!(display.file.remove_fb(frame.fb));
        works!(display.file.destroy_dumb(frame.handle));
        works!(display.file.destroy_blob(blob));
    }
    Ok(())
}

fn output_off_has_no_mode(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    display.light(output)?;
    display.darken(output)?;
    same!(display.is_on(output)?, false);
    same!(display.mode_of(output)?, None);
    same!(display.shown(&output.primary)?, 0);
    same!(display.value(&output.connector, "CRTC_ID")?, 0);
    same!(works!(display.file.crtc(output.crtc.id)).mode_valid, 0);
    Ok(())
}

/// `ACTIVE` alone switches the picture off and on. The mode and the planes stay.
fn inactive_output_keeps_its_mode(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.light(output)?;
    for active in [0, 1, 0, 1] {
        let request = Request::new().set(&output.crtc, "ACTIVE", active);
        works!(display.commit(&request, ATOMIC_ALLOW_MODESET, 0));
        same!(display.value(&output.crtc, "ACTIVE")?, active);
        same!(display.mode_of(output)?, Some(output.mode()));
        same!(display.shown(&output.primary)?, frame.fb);
    }
    works!(display.flip(output, frame.fb, 1));
    same!(display.flipped()?.user_data, 1);
    Ok(())
}

/// Without `ALLOW_MODESET` a commit that switches an output on or off fails with `EINVAL` and has no effect.
fn mode_set_without_permission_is_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.frame(output.size())?;
    let request = display.lit(output, &frame)?;
    let before = display.snapshot()?;
    refuses!(display.commit(&request, 0, 0), INVAL);
    refuses!(display.commit(&request, ATOMIC_NONBLOCK, 0), INVAL);
    same!(display.snapshot()?, before);
    works!(display.commit(&request, ATOMIC_ALLOW_MODESET, 0));
    let before = display.snapshot()?;
    refuses!(display.commit(&Request::new().off(output), 0, 0), INVAL);
    refuses!(display.commit(&Request::new().set(&output.crtc, "ACTIVE", 0), 0, 0), INVAL);
    same!(display.snapshot()?, before);
    Ok(())
}

/// The event of a blocking commit can be read when the call returns, and the next commit needs no wait.
fn blocking_commit_is_complete_when_it_returns(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frames = [display.light(output)?, display.frame(output.size())?];
    for turn in 0..6 {
        let request = Request::new().set(&output.primary, "FB_ID", frames[turn % 2].fb.into());
        works!(display.commit(&request, PAGE_FLIP_EVENT, turn as u64));
        holds!(display.has_event()?, "the event is there");
        same!(display.flipped()?.user_data, turn as u64);
    }
    Ok(())
}

/// A flip that does not block sends one event, after which the framebuffer is shown.
fn nonblocking_flip_sends_one_event(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    display.light(output)?;
    let other = display.frame(output.size())?;
    works!(display.flip(output, other.fb, 77));
    same!(display.flipped()?.user_data, 77);
    same!(display.shown(&output.primary)?, other.fb);
    works!(display.flip(output, other.fb, 78));
    same!(display.flipped()?.user_data, 78);
    holds!(!display.has_event()?, "no further event comes");
    Ok(())
}

/// The event names the caller's number and the CRTC. Its time is of the monotonic clock, between the call and the read.
fn event_carries_number_crtc_and_time(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.light(output)?;
    let before = works!(display.file.sequence(output.crtc.id));
    works!(display.flip(output, frame.fb, u64::MAX));
    let event = display.flipped()?;
    same!((event.user_data, event.crtc_id), (u64::MAX, output.crtc.id));
    same!(event.base, EventHeader { kind: EVENT_FLIP_COMPLETE, length: 32 });
    let after = works!(display.file.sequence(output.crtc.id));
    let passed = event.sequence.wrapping_sub(before.sequence as u32);
    let until = (after.sequence as u32).wrapping_sub(event.sequence);
    holds!(passed < 1 << 31 && until < 1 << 31, "the vblank of the event is between the two calls");
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    holds!(i64::from(event.tv_sec) <= now.tv_sec && event.tv_usec < 1_000_000, "the event's time has passed");
    let microseconds = i64::from(event.tv_sec) * 1_000_000 + i64::from(event.tv_usec);
    holds!(microseconds >= before.sequence_ns / 1000, "the event is not older than an earlier vblank");
    Ok(())
}

fn flip_without_event_sends_none(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    display.light(output)?;
    let other = display.frame(output.size())?;
    let request = Request::new().set(&output.primary, "FB_ID", other.fb.into());
    works!(display.commit(&request, ATOMIC_NONBLOCK, 5));
    // A blocking commit waits for the one before it.
    works!(display.commit(&request, 0, 0));
    holds!(!display.has_event()?, "no event comes");
    same!(display.shown(&output.primary)?, other.fb);
    Ok(())
}

/// While a flip is pending, a second one that does not block fails with `EBUSY`. The first stays what it was.
fn second_flip_while_one_is_pending_fails_with_ebusy(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let first = display.light(output)?;
    let second = display.frame(output.size())?;
    let mut refused = 0;
    for turn in 0..20 {
        works!(display.flip(output, first.fb, 2 * turn));
        // The flip may be complete before the second call on a machine that is slow enough.
        match display.flip(output, second.fb, 2 * turn + 1) {
            Err(rustix::io::Errno::BUSY) => {
                refused += 1;
                same!(display.flipped()?.user_data, 2 * turn);
                same!(display.shown(&output.primary)?, first.fb);
            }
            other => {
                works!(other);
                same!((display.flipped()?.user_data, display.flipped()?.user_data), (2 * turn, 2 * turn + 1));
            }
        }
        holds!(!display.has_event()?, "the refused flip sends no event");
    }
    holds!(refused > 0, "of twenty flips at once one was refused");
    Ok(())
}

/// The events of a hundred flips come in order, each at a later vblank than the one before.
fn many_flips_come_in_order(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frames = [display.light(output)?, display.frame(output.size())?];
    let mut last = None;
    for turn in 0..100 {
        works!(display.flip(output, frames[turn % 2].fb, turn as u64));
        let event = display.flipped()?;
        same!(event.user_data, turn as u64);
        let time = (event.tv_sec, event.tv_usec);
        if let Some((sequence, earlier)) = last.replace((event.sequence, time)) {
            let passed = event.sequence.wrapping_sub(sequence);
            holds!((1..1 << 31).contains(&passed), "vblank {} follows {sequence}", event.sequence);
            holds!(time > earlier, "the time goes on: {time:?} after {earlier:?}");
        }
    }
    Ok(())
}

/// K39: the event of an output that is switched on comes, and only after the output is on.
fn nonblocking_mode_set_sends_its_event(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.frame(output.size())?;
    let request = display.lit(output, &frame)?;
    for turn in 0..5 {
        let flags = ATOMIC_ALLOW_MODESET | ATOMIC_NONBLOCK | PAGE_FLIP_EVENT;
        works!(display.commit(&request, flags, turn));
        let event = display.flipped()?;
        same!((event.user_data, event.crtc_id), (turn, output.crtc.id));
        works!(display.file.sequence(output.crtc.id));
        display.darken(output)?;
    }
    holds!(!display.has_event()?, "no further event comes");
    Ok(())
}

/// K17, K39: a commit that switches an output off sends its event, too.
fn event_of_an_output_that_goes_off_comes(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    for flags in [ATOMIC_NONBLOCK, 0] {
        display.light(output)?;
        works!(display.commit(&Request::new().off(output), flags | ATOMIC_ALLOW_MODESET | PAGE_FLIP_EVENT, 9));
        let event = display.flipped()?;
        same!((event.user_data, event.crtc_id), (9, output.crtc.id));
    }
    holds!(!display.has_event()?, "no further event comes");
    Ok(())
}

/// An output that stays off has no vblank: a commit that wants an event of it fails with `EINVAL`.
fn event_on_an_inactive_output_is_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let request = Request::new().set(&output.crtc, "ACTIVE", 0);
    for flags in [PAGE_FLIP_EVENT, PAGE_FLIP_EVENT | ATOMIC_NONBLOCK] {
        refuses!(display.commit(&request, flags, 0), INVAL);
    }
    holds!(!display.has_event()?, "no event comes");
    Ok(())
}

fn same_framebuffer_can_be_flipped_to_itself(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.light(output)?;
    for turn in 0..3 {
        works!(display.flip(output, frame.fb, turn));
        same!(display.flipped()?.user_data, turn);
    }
    same!(display.shown(&output.primary)?, frame.fb);
    Ok(())
}

/// A plane may be partly or wholly beside the screen. Its properties are what the client set.
fn plane_can_be_moved_beside_the_screen(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    display.light(output)?;
    let Some(cursor) = &output.cursor else { return crate::harness::check::skip("the device has no cursor plane") };
    let small = display.frame_of((64, 64), ARGB8888)?;
    let (width, height) = (output.size().0 as i32, output.size().1 as i32);
    for at in [(0, 0), (-32, -32), (width - 1, height - 1), (-64, 0), (width, height), (-5000, 9000)] {
        let request = Request::new().show(cursor, output, small.fb, Place::at(at, (64, 64)));
        works!(display.commit(&request, 0, 0));
        let x = display.value(cursor, "CRTC_X")? as i64;
        let y = display.value(cursor, "CRTC_Y")? as i64;
        same!((x, y), (at.0.into(), at.1.into()));
    }
    Ok(())
}

/// Each property that a commit can set reads back as it was set.
fn properties_set_by_a_commit_are_read_back(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    display.light(output)?;
    for object in [&output.primary, &output.crtc] {
        for name in object.names().filter(|name| !MEANT_OTHERWISE.contains(name)) {
            let number = object.property(name);
            let property = works!(display.file.property(number));
            if property.flags & PROP_IMMUTABLE != 0 || property.flags & PROP_ENUM == 0 {
                continue;
            }
            let before = display.value(object, name)?;
            for (value, _) in property.enums {
                works!(display.commit(&Request::new().number(object.id, number, value), ATOMIC_ALLOW_MODESET, 0));
                same!((name, display.value(object, name)?), (name, value));
            }
            works!(display.commit(&Request::new().number(object.id, number, before), ATOMIC_ALLOW_MODESET, 0));
        }
    }
    Ok(())
}

/// Properties of enumerations with other rules than reading back.
const MEANT_OTHERWISE: &[&str] = &["COLOR_PIPELINE"];

/// A blocking commit of two planes changes both, and one with a wrong second plane changes neither.
fn planes_of_a_commit_change_together(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let first = display.light(output)?;
    let Some(cursor) = &output.cursor else { return crate::harness::check::skip("the device has no cursor plane") };
    let (second, small) = (display.frame(output.size())?, display.frame_of((64, 64), ARGB8888)?);
    let flip = Request::new().set(&output.primary, "FB_ID", second.fb.into());
    let too_large = Place { src_size: (65 << 16, 64 << 16), size: (65, 64), ..Place::at((0, 0), (64, 64)) };
    let wrong = flip.clone().show(cursor, output, small.fb, too_large);
    refuses!(display.commit(&wrong, 0, 0), NOSPC);
    same!((display.shown(&output.primary)?, display.shown(cursor)?), (first.fb, 0));
    let right = flip.show(cursor, output, small.fb, Place::at((7, 9), (64, 64)));
    works!(display.commit(&right, 0, 0));
    same!((display.shown(&output.primary)?, display.shown(cursor)?), (second.fb, small.fb));
    Ok(())
}

/// A CRTC can be on and show no plane.
fn output_without_a_plane_can_be_on(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.light(output)?;
    works!(display.commit(&Request::new().hide(&output.primary), 0, 0));
    same!((display.is_on(output)?, display.shown(&output.primary)?), (true, 0));
    let place = Place::at((0, 0), output.size());
    works!(display.commit(&Request::new().show(&output.primary, output, frame.fb, place), 0, 0));
    display.darken(output)?;
    let mode = display.mode_blob(&output.mode())?;
    works!(display.commit(&Request::new().on(output, mode), ATOMIC_ALLOW_MODESET, 0));
    same!((display.is_on(output)?, display.shown(&output.primary)?), (true, 0));
    Ok(())
}

/// A plane may have a CRTC without a mode, as a cursor does that is set before the picture. It is shown with the mode.
fn plane_can_be_prepared_on_an_output_that_is_off(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let Some(cursor) = &output.cursor else { return crate::harness::check::skip("the device has no cursor plane") };
    let small = display.frame_of((64, 64), ARGB8888)?;
    let request = Request::new().show(cursor, output, small.fb, Place::at((4, 5), (64, 64)));
    works!(display.commit(&request, ATOMIC_TEST_ONLY, 0));
    works!(display.commit(&request, 0, 0));
    same!((display.shown(cursor)?, display.is_on(output)?), (small.fb, false));
    let frame = display.light(output)?;
    same!((display.shown(cursor)?, display.shown(&output.primary)?), (small.fb, frame.fb));
    display.all_off()?;
    works!(display.commit(&request, 0, 0));
    works!(display.commit(&Request::new().hide(cursor), 0, 0));
    same!(display.shown(cursor)?, 0);
    Ok(())
}

/// Each rotation and reflection of the property can be set on a square plane. Two rotations at once are refused.
fn offered_rotations_are_accepted(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let Some(plane) = output.planes().find(|plane| plane.has("rotation")) else {
        return crate::harness::check::skip("no plane can be rotated");
    };
    let number = plane.property("rotation");
    display.light(output)?;
    let square = display.frame_of((64, 64), ARGB8888)?;
    let request = Request::new().show(plane, output, square.fb, Place::at((0, 0), (64, 64)));
    works!(display.commit(&request, 0, 0));
    let offered = works!(display.file.property(number)).enums;
    let is_reflection = |bit: u64| bit >= 4;
    for (bit, name) in &offered {
        let value = if is_reflection(*bit) { 1 << bit | 1 } else { 1 << bit };
        works!(display.commit(&Request::new().number(plane.id, number, value), 0, 0));
        same!((name, display.value(plane, "rotation")?), (name, value));
    }
    for wrong in [0, 3, 1 << 30] {
        refuses!(display.commit(&Request::new().number(plane.id, number, wrong), 0, 0), INVAL, " with {wrong:#x}");
    }
    Ok(())
}

/// A commit holds the mode's blob, which the client may destroy.
fn destroyed_blob_of_the_mode_stays_set(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let (frame, blob) = (display.frame(output.size())?, display.mode_blob(&output.mode())?);
    let place = Place::at((0, 0), output.size());
    let request = Request::new().on(output, blob).show(&output.primary, output, frame.fb, place);
    works!(display.commit(&request, ATOMIC_ALLOW_MODESET, 0));
    works!(display.file.destroy_blob(blob));
    refuses!(display.file.destroy_blob(blob), PERM);
    same!(display.mode_of(output)?, Some(output.mode()));
    display.darken(output)?;
    refuses!(display.file.destroy_blob(blob), NOENT);
    refuses!(display.commit(&request, ATOMIC_ALLOW_MODESET, 0), INVAL);
    Ok(())
}
