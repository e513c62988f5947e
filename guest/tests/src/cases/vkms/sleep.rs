// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The system sleeps while a display is on: it shows the same afterwards, and nothing waits without end (K20, K33).
//!
//! Source: `Documentation/power/basic-pm-debugging.rst`.

use crate::cases::bus::edu::tested;
use crate::cases::fence::waiting::woken;
use crate::harness::check::Outcome;
use crate::subjects::display::request::Request;
use crate::subjects::display::{Card, Display, Frame};
use crate::subjects::driver::Driver;
use crate::subjects::guest::Guest;
use crate::{holds, same, works};

use super::fence::Pending;
use uapi::mode::*;

crate::cases::cases! {
    "vkms_sleep" for Vkms:
    same_state_is_on_after_a_sleep, output_that_is_off_stays_off, cursor_is_shown_after_a_sleep,
    flip_that_is_pending_ends, commit_does_not_wait_for_a_fence_in_sleep, blocking_commit_waits_on_after_a_sleep,
    unbind_after_a_sleep,
}

/// The system sleeps for a second.
fn sleep() -> Outcome {
    works!(tested("devices", "freeze"));
    Ok(())
}

/// Checks that flips work.
fn flips(display: &Display, frames: &[Frame]) -> Outcome {
    for (number, frame) in (1..).zip(frames.iter().cycle().take(4)) {
        works!(display.flip(display.output(), frame.fb, number));
        same!(display.flipped()?.user_data, number);
        same!(display.shown(&display.output().primary)?, frame.fb);
    }
    Ok(())
}

fn lit(guest: &Guest) -> Outcome<(Display, [Frame; 2])> {
    let display = Display::open(guest)?;
    let first = display.light(display.output())?;
    let second = display.frame(first.size)?;
    Ok((display, [first, second]))
}

fn same_state_is_on_after_a_sleep(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let before = display.snapshot()?;
    for _ in 0..2 {
        sleep()?;
        holds!(display.is_on(display.output())?, "the output is on");
        same!(display.snapshot()?, before);
    }
    flips(&display, &frames)
}

fn output_that_is_off_stays_off(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    display.darken(display.output())?;
    let before = display.snapshot()?;
    sleep()?;
    same!(display.snapshot()?, before);
    display.show(display.output(), &frames[0])?;
    flips(&display, &frames)
}

fn cursor_is_shown_after_a_sleep(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let output = display.output();
    let plane = output.cursor.as_ref().expect("the display has a cursor plane");
    let cursor = display.frame_of((64, 64), ARGB8888)?;
    let place = crate::subjects::display::request::Place::at((10, 10), (64, 64));
    works!(display.commit(&Request::new().show(plane, output, cursor.fb, place), 0, 0));
    sleep()?;
    same!(display.shown(plane)?, cursor.fb);
    flips(&display, &frames)
}

/// The event of a flip comes, in the sleep or before.
fn flip_that_is_pending_ends(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    works!(display.flip(display.output(), frames[1].fb, 7));
    sleep()?;
    same!(display.flipped()?.user_data, 7);
    same!(display.shown(&display.output().primary)?, frames[1].fb);
    flips(&display, &frames)
}

/// A commit that waits for a fence does not keep the system awake. C's driver stays as it is in a sleep.
fn commit_does_not_wait_for_a_fence_in_sleep(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let output = display.output();
    let pending = Pending::new(guest)?;
    let flip =
        Request::new().set(&output.primary, "FB_ID", frames[1].fb.into()).in_fence(&output.primary, &pending.file);
    works!(display.commit(&flip, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 7));
    sleep()?;
    holds!(!pending.is_signalled()?, "nobody has signalled the fence");
    if guest.driver == Driver::CVkms {
        pending.signal(0)?;
    }
    same!(display.flipped()?.user_data, 7);
    same!(display.shown(&output.primary)?, frames[1].fb);
    flips(&display, &frames)
}

/// A call that waits for a fence goes on waiting when the system wakes.
fn blocking_commit_waits_on_after_a_sleep(guest: &Guest) -> Outcome {
    let (display, frames) = lit(guest)?;
    let output = display.output();
    let pending = Pending::new(guest)?;
    let flip =
        Request::new().set(&output.primary, "FB_ID", frames[1].fb.into()).in_fence(&output.primary, &pending.file);
    let answer = woken(
        || display.commit(&flip, 0, 0),
        || {
            sleep()?;
            pending.signal(0)
        },
    )?;
    works!(answer);
    same!(display.shown(&output.primary)?, frames[1].fb);
    flips(&display, &frames)
}

fn unbind_after_a_sleep(guest: &Guest) -> Outcome {
    let (display, _) = lit(guest)?;
    sleep()?;
    let unbound = Card::first(guest)?.unbind()?;
    drop(display);
    works!(unbound.bind());
    let (display, frames) = lit(guest)?;
    flips(&display, &frames)
}
