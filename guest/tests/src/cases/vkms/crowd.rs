// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Many threads commit at once: a deadlock of locks is resolved and never returned (K9).
//!
//! Source: `drivers/gpu/drm/drm_modeset_lock.c`, `drm_mode_atomic_ioctl` (Linux 7.3).

use rustix::io::Errno;
use uapi::mode::*;
use uapi::{CLOEXEC, DROP_MASTER, SET_MASTER};

use crate::harness::check::{Outcome, Stop, fail, name};
use crate::subjects::device::DrmFile;
use crate::subjects::display::request::{Place, Request};
use crate::subjects::display::setup::Setup;
use crate::subjects::display::{Card, Display};
use crate::subjects::guest::Guest;
use crate::{holds, same, works};

crate::cases::cases! {
    "vkms_crowd" for Vkms:
    ten_threads_commit_to_one_output within 60, ten_threads_commit_to_two_outputs within 60,
    ten_clients_take_turns_as_master within 60, readers_do_not_disturb_commits within 60,
    mode_sets_beside_flips within 60, lessee_of_each_output_beside_their_lessor within 60,
}

/// How many threads commit.
const THREADS: u64 = 10;
/// How often each of them does.
const TURNS: u64 = 40;

/// Runs a piece in each of some threads. The first failure is the case's.
fn threads(count: u64, piece: impl Fn(u64) -> Outcome + Sync) -> Outcome {
    std::thread::scope(|scope| {
        let piece = &piece;
        let running: Vec<_> = (0..count).map(|number| scope.spawn(move || piece(number))).collect();
        let ended: Vec<Outcome> = running.into_iter().map(|thread| thread.join().expect("no thread panics")).collect();
        ended.into_iter().collect::<Result<(), Stop>>()
    })
}

/// Checks that an answer is success, or that another commit is pending.
fn done_or_busy(answer: sys::Answer) -> Outcome<bool> {
    match answer {
        Ok(()) => Ok(true),
        Err(Errno::BUSY) => Ok(false),
        Err(errno) => fail(format!("a commit among others: expected success or EBUSY, got {}", name(errno))),
    }
}

/// Commits that name their objects in different orders.
fn commits(display: &Display, fbs: &[u32], number: u64) -> Outcome<u64> {
    let mut random = fastrand::Rng::with_seed(number);
    let mut done = 0;
    for _ in 0..TURNS {
        let mut request = Request::new();
        let mut outputs: Vec<_> = display.outputs.iter().zip(fbs).collect();
        random.shuffle(&mut outputs);
        outputs.truncate(random.usize(1..=outputs.len()));
        for (output, fb) in outputs {
            let plane = Request::new().set(&output.primary, "FB_ID", (*fb).into());
            let crtc = Request::new().set(&output.crtc, "ACTIVE", 1);
            let connector = Request::new().set(&output.connector, "CRTC_ID", output.crtc.id.into());
            let mut parts = [plane, crtc, connector];
            random.shuffle(&mut parts);
            request = parts.into_iter().fold(request, Request::and);
        }
        let flags = [0, ATOMIC_NONBLOCK, ATOMIC_TEST_ONLY, ATOMIC_ALLOW_MODESET][random.usize(..4)];
        done += u64::from(done_or_busy(display.commit(&request, flags, 0))?);
    }
    Ok(done)
}

/// Lights all outputs and returns their framebuffers.
fn light(display: &Display) -> Outcome<Vec<u32>> {
    display.outputs.iter().map(|output| Ok(display.light(output)?.fb)).collect()
}

/// Checks that all outputs flip, one after the other.
fn all_flip(display: &Display, fbs: &[u32]) -> Outcome {
    for (output, fb) in display.outputs.iter().zip(fbs) {
        // A blocking commit waits for what the threads have left.
        works!(display.commit(&Request::new().set(&output.primary, "FB_ID", (*fb).into()), 0, 0));
        works!(display.flip(output, *fb, 1));
        same!(display.flipped()?.user_data, 1);
        same!(display.shown(&output.primary)?, *fb);
    }
    holds!(!display.has_event()?, "no further event comes");
    Ok(())
}

fn ten_threads_commit_to_one_output(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let fbs = light(&display)?;
    threads(THREADS, |number| {
        let done = commits(&display, &fbs, guest.seed ^ number)?;
        holds!(done > 0, "thread {number} has made a commit");
        Ok(())
    })?;
    all_flip(&display, &fbs)
}

/// Commits take the locks of two outputs in both orders.
fn ten_threads_commit_to_two_outputs(guest: &Guest) -> Outcome {
    let (_setup, card) = Setup::outputs(guest, 2)?;
    let display = Display::open_card(&card)?;
    let fbs = light(&display)?;
    threads(THREADS, |number| {
        let done = commits(&display, &fbs, guest.seed ^ number)?;
        holds!(done > 0, "thread {number} has made a commit");
        Ok(())
    })?;
    all_flip(&display, &fbs)
}

/// Each client becomes master when no other is, lights the output, flips, and gives up again.
fn ten_clients_take_turns_as_master(guest: &Guest) -> Outcome {
    let watcher = Display::open(guest)?;
    works!(watcher.file.master(&DROP_MASTER));
    let card = Card::first(guest)?.primary;
    threads(THREADS, |number| {
        let display = Display::adopt(works!(DrmFile::open(&card)))?;
        let output = display.output();
        for turn in 0..3 {
            while let Err(errno) = display.file.master(&SET_MASTER) {
                holds!(errno == Errno::BUSY, "another client is master: {errno}");
                std::thread::yield_now();
            }
            let frame = display.light(output)?;
            let user_data = 100 * number + turn;
            // Framebuffers of a client that has left may still be on their way out.
            while !done_or_busy(display.flip(output, frame.fb, user_data))? {
                std::thread::yield_now();
            }
            same!(display.flipped()?.user_data, user_data);
            works!(display.file.remove_fb(frame.fb));
            works!(display.file.destroy_dumb(frame.handle));
            works!(display.file.master(&DROP_MASTER));
        }
        Ok(())
    })?;
    works!(watcher.file.master(&SET_MASTER));
    let fbs = light(&watcher)?;
    all_flip(&watcher, &fbs)
}

/// Clients that probe connectors and read every property do not make a commit fail.
fn readers_do_not_disturb_commits(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let fbs = light(&display)?;
    let output = display.output();
    threads(6, |number| {
        if number == 0 {
            for turn in 0..60 {
                works!(display.flip(output, fbs[0], turn));
                same!(display.flipped()?.user_data, turn);
            }
            return Ok(());
        }
        for _ in 0..10 {
            works!(display.file.connector(output.connector.id));
            display.snapshot()?;
            works!(display.file.resources());
            works!(display.file.sequence(output.crtc.id));
        }
        Ok(())
    })?;
    all_flip(&display, &fbs)
}

/// A client for each output, and their lessor, who takes the locks of both outputs in either order. A kernel with
/// `CONFIG_DEBUG_WW_MUTEX_SLOWPATH` makes up further deadlocks.
fn lessee_of_each_output_beside_their_lessor(guest: &Guest) -> Outcome {
    let (_setup, card) = Setup::outputs(guest, 2)?;
    let lessor = Display::open_card(&card)?;
    let mut lessees = Vec::new();
    for output in &lessor.outputs {
        let planes = output.planes().map(|plane| plane.id);
        let objects: Vec<u32> = [output.crtc.id, output.connector.id].into_iter().chain(planes).collect();
        lessees.push(Display::adopt(works!(lessor.file.create_lease(&objects, CLOEXEC)).1)?);
    }
    let fbs = light(&lessor)?;
    threads(4, |number| {
        let done = match lessees.get(number as usize) {
            Some(lessee) => commits(lessee, &fbs[number as usize..], guest.seed ^ number)?,
            None => commits(&lessor, &fbs, guest.seed ^ number)?,
        };
        holds!(done > 0, "thread {number} has made a commit");
        Ok(())
    })?;
    all_flip(&lessor, &fbs)
}

/// Mode sets, cursor moves and vblank waits at once. Waits may end because the output goes off.
fn mode_sets_beside_flips(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let fbs = light(&display)?;
    let output = display.output();
    let small = display.frame_of((64, 64), ARGB8888)?;
    threads(5, |number| {
        for turn in 0..20 {
            match number {
                0 => {
                    let active = Request::new().set(&output.crtc, "ACTIVE", turn % 2);
                    done_or_busy(display.commit(&active, ATOMIC_ALLOW_MODESET, 0))?;
                }
                1 => match display.file.wait_vblank(VBLANK_RELATIVE, output.pipe, 1, 0) {
                    Ok(_) | Err(Errno::INVAL) => {}
                    Err(errno) => return fail(format!("a wait for a vblank: {}", name(errno))),
                },
                2 => {
                    let flip = Request::new().set(&output.primary, "FB_ID", fbs[0].into());
                    done_or_busy(display.commit(&flip, ATOMIC_NONBLOCK, 0))?;
                }
                3 => {
                    let Some(cursor) = &output.cursor else { return Ok(()) };
                    let place = Place::at((turn as i32, 5), (64, 64));
                    done_or_busy(display.commit(&Request::new().show(cursor, output, small.fb, place), 0, 0))?;
                }
                _ => drop(display.snapshot()?),
            }
        }
        Ok(())
    })?;
    works!(display.commit(&Request::new().set(&output.crtc, "ACTIVE", 1), ATOMIC_ALLOW_MODESET, 0));
    all_flip(&display, &fbs)
}
