// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Fences, sync objects and events in several threads, while the device is unbound and its module unloaded (L15, L19).
//!
//! Source: as for the areas beside this one.

use std::sync::atomic::{AtomicBool, Ordering};

use fastrand::Rng;
use sys::pace::patient;

use super::*;
use crate::{holds, same, works};

crate::cases::cases! {
    "sync_stress":
    l15_callbacks_against_expiry within 60, concurrent_calls_of_every_kind within 60,
    l15_module_comes_and_goes within 120, l5_device_comes_and_goes within 120,
}

/// The number of threads.
const THREADS: u64 = 4;

/// Callbacks that are removed while their fence expires either run or do not, and none leaks.
fn l15_callbacks_against_expiry(guest: &Guest) -> Outcome {
    const ROUNDS: u32 = 300;
    let file = open(guest)?;
    let counts = std::thread::scope(|scope| {
        let race = || open(guest)?.race(ROUNDS);
        let racers: Vec<_> = (0..THREADS).map(|_| scope.spawn(race)).collect();
        racers.into_iter().map(|racer| racer.join().expect("no racer panics")).collect::<Outcome<Vec<_>>>()
    })?;
    for SyncCallbacks { ran, taken_back, leaked, .. } in counts {
        same!((ran + taken_back, leaked), (4 * ROUNDS, 0));
        holds!(ran >= 4 * ROUNDS / 3, "in a third of the rounds the fence expired first: {ran}");
    }
    drop(file);
    unload_soon()?;
    open(guest).map(drop)
}

impl DrmFile {
    fn race(&self, rounds: u32) -> Outcome<SyncCallbacks> {
        Ok(works!(self.ioctl(&SYNC_CALLBACKS, SyncCallbacks { rounds, ..Default::default() })))
    }
}

/// Uses the device in one thread until `stop`. Calls may be refused.
fn play(seed: u64, stop: &AtomicBool) -> u64 {
    let (mut random, mut count) = (Rng::with_seed(seed), 0);
    while !stop.load(Ordering::Relaxed) {
        match nodes(NAME).first().map(DrmFile::open) {
            Some(Ok(file)) => count += play_with(&file, &mut random),
            _ => std::thread::yield_now(),
        }
    }
    count
}

/// Issues up to forty fences, half of them on a timeline, and ends them in all ways or lets them expire. Returns how
/// many.
fn play_with(file: &DrmFile, random: &mut Rng) -> u64 {
    let (mut count, mut point) = (0, 0);
    let Ok(syncobj) = file.syncobj_create(0) else { return 0 };
    // A debug kernel would report the leak of a forgotten fence.
    let last_way = if finds_leaks() { END_DROP } else { END_FORGET };
    for _ in 0..random.u32(..40) {
        point += random.u64(..2);
        let (timeout_ms, flags) = (random.u32(1..12), random.u32(..4));
        let Ok(fence) = file.issue(SyncIssue { point, syncobj, timeout_ms, flags, id: 0 }) else { break };
        count += 1;
        // The answers of these calls depend on which thread was first.
        if random.u8(..4) == 0 {
            let _ = file.reserve(count, if random.bool() { fence.id } else { 0 });
        }
        if random.u8(..8) == 0 {
            let _ = file.notify(random.u32(EVENTS_SEND..=EVENTS_HAND_OVER));
        }
        if random.u8(..6) == 0 {
            let limit = Duration::from_millis(random.u64(..20));
            let _ = file.syncobj_wait(syncobj, point, limit, 0);
        }
        if random.u8(..3) != 0 {
            let _ = file.end(fence.id, random.u32(END_SIGNAL..=last_way), random.u32(..2) * 5);
        }
    }
    count
}

/// Runs `besides` while threads use the device.
fn while_playing(guest: &Guest, besides: impl FnOnce(&mut Rng) -> Outcome) -> Outcome {
    let stop = AtomicBool::new(false);
    let (outcome, fences) = std::thread::scope(|scope| {
        let stop = &stop;
        let players: Vec<_> = (0..THREADS).map(|at| scope.spawn(move || play(guest.seed ^ at, stop))).collect();
        let outcome = besides(&mut Rng::with_seed(guest.seed));
        stop.store(true, Ordering::Relaxed);
        let counts = players.into_iter().map(|player| player.join().expect("no player panics"));
        (outcome, counts.sum::<u64>())
    });
    outcome?;
    holds!(fences > 0, "fences were issued, seed {}", guest.seed);
    unload_soon()?;
    open(guest).map(drop)
}

/// Waits some time for a fence to expire, in which the other threads run.
fn linger(file: &DrmFile, milliseconds: u32) -> Outcome {
    let fence = works!(file.issue_new(0, milliseconds));
    works!(file.syncobj_wait(fence.syncobj, 0, long(), 0));
    Ok(())
}

/// Threads use everything at once, and nothing is left when the last file is closed.
fn concurrent_calls_of_every_kind(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    while_playing(guest, |_| {
        linger(&file, 3000)?;
        drop(file);
        Ok(())
    })
}

/// The module is loaded, and unloaded whenever it has no users.
fn l15_module_comes_and_goes(guest: &Guest) -> Outcome {
    open(guest)?;
    while_playing(guest, |random| {
        let mut gone = 0;
        let start = Instant::now();
        // Without an unbind in between, unloading is refused as long as a thread has the device open.
        while gone < 15 && start.elapsed() < patient(Duration::from_secs(60)) {
            load(guest, NAME)?;
            linger(&reopen()?, random.u32(1..60))?;
            works!(unbind());
            gone += u32::from(modules::remove(NAME).is_ok());
            if !std::path::Path::new("/sys/module/sync_test").exists() {
                continue;
            }
            let _ = bind();
        }
        holds!(gone > 0, "the module was unloaded at least once, seed {}", guest.seed);
        load(guest, NAME)
    })
}

/// The device is unbound and bound while its files are open.
fn l5_device_comes_and_goes(guest: &Guest) -> Outcome {
    open(guest)?;
    while_playing(guest, |random| {
        for _ in 0..30 {
            linger(&reopen()?, random.u32(1..60))?;
            works!(unbind());
            works!(bind());
        }
        Ok(())
    })
}
