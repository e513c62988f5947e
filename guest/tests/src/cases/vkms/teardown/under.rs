// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Unbinds the device while a client goes on with what it does.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::PollFlags;
use rustix::io::Errno;
use uapi::mode::*;

use super::super::legacy::page_flip;
use super::{comes_back, is_gone};
use crate::harness::check::{Outcome, fail, name};
use crate::subjects::display::request::Request;
use crate::subjects::display::{Card, Display};
use crate::subjects::guest::Guest;
use crate::works;

/// Unbinds the device while a thread repeats a piece, until the piece ends with `ENODEV`. The piece gets a framebuffer that
/// is shown, and counts up.
///
/// The outputs go off before the device. A client that changes something in between is told of the device, not of a mistake (K22).
fn under(guest: &Guest, rounds: u32, piece: impl Fn(&Display, u32, u64) -> sys::Answer + Sync) -> Outcome {
    for _ in 0..rounds {
        let display = Display::open(guest)?;
        let fb = display.light(display.output())?.fb;
        let card = Card::first(guest)?;
        let (begun, failed) = (AtomicBool::new(false), AtomicBool::new(false));
        let unbound = std::thread::scope(|scope| -> Outcome<_> {
            let client = scope.spawn(|| {
                for turn in 0.. {
                    if failed.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    match piece(&display, fb, turn) {
                        Ok(()) => {}
                        Err(Errno::NODEV) => return Ok(()),
                        Err(errno) => return fail(format!("a call at the unbind fails with {}", name(errno))),
                    }
                    begun.store(turn > 3, Ordering::Relaxed);
                }
                Ok(())
            });
            while !begun.load(Ordering::Relaxed) && !client.is_finished() {
                std::thread::yield_now();
            }
            let unbound = card.unbind();
            failed.store(unbound.is_err(), Ordering::Relaxed);
            client.join().expect("the client does not panic")?;
            unbound
        })?;
        is_gone(&display)?;
        drop(display);
        works!(unbound.bind());
    }
    comes_back(guest)
}

pub(super) fn unbind_under_a_flipping_client(guest: &Guest) -> Outcome {
    under(guest, 10, |display, fb, turn| {
        display.flip(display.output(), fb, turn)?;
        event(display)
    })
}

pub(super) fn unbind_under_a_client_of_legacy_flips(guest: &Guest) -> Outcome {
    under(guest, 10, |display, fb, turn| {
        page_flip(display, fb, PAGE_FLIP_EVENT, turn)?;
        event(display)
    })
}

/// Takes the event of a flip. Each flip that was accepted sends it, also if the device goes (K17).
fn event(display: &Display) -> sys::Answer {
    while sys::poll(&display.file, PollFlags::IN, 100)?.is_empty() {}
    rustix::io::read(&display.file, &mut [0; 32]).map(drop)
}

pub(super) fn unbind_under_a_client_that_sets_modes(guest: &Guest) -> Outcome {
    under(guest, 10, |display, _, turn| {
        let active = Request::new().set(&display.output().crtc, "ACTIVE", turn % 2);
        display.commit(&active, ATOMIC_ALLOW_MODESET, 0)
    })
}

pub(super) fn unbind_under_a_moving_cursor(guest: &Guest) -> Outcome {
    under(guest, 10, |display, _, turn| {
        let crtc_id = display.output().crtc.id;
        if turn == 0 {
            let handle = display.file.create_dumb(64, 64, 32)?.handle;
            let (width, height) = (64, 64);
            let cursor = Cursor { flags: CURSOR_BO, crtc_id, width, height, handle, ..Default::default() };
            return display.file.ioctl(&CURSOR, cursor).map(drop);
        }
        let cursor = Cursor { flags: CURSOR_MOVE, crtc_id, x: turn as i32 % 500, y: 3, ..Default::default() };
        display.file.ioctl(&CURSOR, cursor).map(drop)
    })
}
