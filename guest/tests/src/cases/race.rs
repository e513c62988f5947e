// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Races: processes use the device while it is unbound and bound (L6, L7).
//!
//! Source: `drm_dev_enter`, `drm_dev_unplug` in `drivers/gpu/drm/drm_drv.c`, `Documentation/gpu/drm-uapi.rst`, "Device
//! Hot-Unplug" (Linux 7.3).

pub(crate) mod client;
pub(crate) mod crowd;
pub(crate) mod load;
mod workers;

use fastrand::Rng;
use rustix::event::PollFlags;
use rustix::io::Errno;
use sys::Mapping;
use uapi::{CLOEXEC, FENCE_WRITE, PAGE, RDWR};

use crate::harness::check::{Outcome, fail};
use crate::harness::modules;
use crate::subjects::device::{self, DrmFile};
use crate::subjects::guest::Guest;
use crate::{holds, same, works};

use client::{Mood, use_a_buffer};
use crowd::Crowd;
pub(crate) use workers::WORKERS;

super::cases! {
    "race":
    many_processes within 60, threads_of_one_file within 60, handle_closed_under_an_export within 60,
    fence_signalled_twice_at_once within 60, unplug_and_rebind within 120,
    unplug_while_faulting within 120, first_open_after_bind within 120,
    unbound_by_several within 60,
    unload_while_unbinding within 60,
    killed_while_holding_a_fence,
    unload_while_opening within 120,
}

/// Spins for a short random time, without sleeping.
pub(crate) fn linger(random: &mut Rng) {
    (0..random.u32(..200)).for_each(|_| std::thread::yield_now());
}

/// Four processes use the device without an unplug, and no call fails.
fn many_processes(guest: &Guest) -> Outcome {
    let users = guest.users()?;
    Crowd::start(guest, "strict", 4)?.finish(guest.seed)?;
    same!(guest.users()?, users);
    Ok(())
}

/// Four threads share one file. Each sees its own handles and fences, although the numbers are shared.
fn threads_of_one_file(guest: &Guest) -> Outcome {
    let (file, other) = (guest.open()?, guest.open_render()?);
    std::thread::scope(|scope| {
        let (file, other) = (&file, &other);
        let workers: Vec<_> =
            (0..4_u64).map(|at| scope.spawn(move || buffers_in_a_shared_file(file, other, guest.seed ^ at))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })
}

fn buffers_in_a_shared_file(file: &DrmFile, other: &DrmFile, seed: u64) -> Outcome {
    let mut random = Rng::with_seed(seed);
    for _ in 0..100 {
        use_a_buffer(file, other, &mut random, Mood::Stays)?;
    }
    Ok(())
}

/// One thread exports a handle while another closes it: the export returns a valid descriptor or `ENOENT`.
fn handle_closed_under_an_export(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for _ in 0..300 {
        let handle = works!(file.pages(1));
        let (exported, closed) = std::thread::scope(|scope| {
            let export = scope.spawn(|| file.export(handle, CLOEXEC | RDWR));
            let closed = file.gem_close(handle);
            (export.join().expect("the exporter does not panic"), closed)
        });
        works!(closed);
        match exported {
            Ok(buffer) => works!(Mapping::shared(&buffer, 0, PAGE)).write(0, 1),
            Err(errno) => same!(errno, Errno::NOENT),
        }
    }
    Ok(())
}

/// Two threads signal one fence: one succeeds, the other gets `ENOENT`.
fn fence_signalled_twice_at_once(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    for _ in 0..300 {
        let fence = works!(file.attach(handle, FENCE_WRITE));
        let (one, two) = std::thread::scope(|scope| {
            let other = scope.spawn(|| file.signal(fence));
            (file.signal(fence), other.join().expect("the other does not panic"))
        });
        match (one, two) {
            (Ok(()), Err(Errno::NOENT)) | (Err(Errno::NOENT), Ok(())) => {}
            both => return fail(format!("one signals, the other gets ENOENT, not {both:?}")),
        }
    }
    Ok(())
}

/// Unplugs and binds the device `rounds` times while a crowd of processes is at work.
fn pull_the_plug(guest: &Guest, part: &str, count: u64, rounds: u32) -> Outcome {
    let users = guest.users()?;
    let mut random = Rng::with_seed(guest.seed);
    let mut crowd = Crowd::start(guest, part, count)?;
    for _ in 0..rounds {
        linger(&mut random);
        works!(guest.driver.unbind());
        linger(&mut random);
        works!(guest.driver.bind());
        if !crowd.all_live()? {
            break;
        }
    }
    crowd.finish(guest.seed)?;
    same!(guest.users()?, users);
    same!(works!(guest.open()?.capability(5)), 3);
    Ok(())
}

/// L6: an unplug between any two steps of a client does no harm.
fn unplug_and_rebind(guest: &Guest) -> Outcome {
    pull_the_plug(guest, "churn", 4, 30)
}

/// L6: whenever the mappings are zapped, there is no SIGBUS and no change of contents.
fn unplug_while_faulting(guest: &Guest) -> Outcome {
    pull_the_plug(guest, "fault", 3, 20)
}

/// L7: a process that opens the device first after a bind finds it complete, or not at all.
fn first_open_after_bind(guest: &Guest) -> Outcome {
    pull_the_plug(guest, "first", 3, 30)
}

/// L5: several processes unbind and bind the device at once; at the end there is one device.
fn unbound_by_several(guest: &Guest) -> Outcome {
    let users = guest.users()?;
    let crowd = Crowd::start(guest, "toggle", 2)?;
    for _ in 0..40 {
        // The answers here are arbitrary; only the end is checked.
        let _ = guest.driver.unbind();
        let _ = guest.driver.bind();
    }
    crowd.finish(guest.seed)?;
    guest.restore()?;
    same!(guest.users()?, users);
    same!(works!(guest.open()?.capability(5)), 3);
    works!(guest.driver.unbind());
    works!(guest.driver.bind());
    Ok(())
}

/// One process unloads the module while others unbind and bind its device.
fn unload_while_unbinding(guest: &Guest) -> Outcome {
    let files = guest.modules()?;
    let crowd = Crowd::start(guest, "toggle", 2)?;
    for _ in 0..20 {
        match modules::remove(guest.driver.module()) {
            Ok(()) => {}
            Err(errno) => same!(errno, Errno::AGAIN),
        }
        works!(files.load());
    }
    crowd.finish(guest.seed)?;
    guest.restore()?;
    works!(modules::remove(guest.driver.module()));
    works!(files.load());
    same!(works!(guest.open()?.capability(5)), 3);
    Ok(())
}

/// L14: a process that is killed leaves no pending fence, so waiters continue.
fn killed_while_holding_a_fence(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let buffer = works!(file.export(handle, CLOEXEC));
    let named = Guest { seed: works!(file.flink(handle)).into(), ..guest.clone() };
    let mut crowd = Crowd::start(&named, "attach", 1)?;
    same!(works!(device::readable_now(&buffer)), false);
    crowd.workers[0].kill()?;
    same!(works!(sys::poll(&buffer, PollFlags::IN, 5000)), PollFlags::IN);
    crowd.workers[0].wait()?;
    works!(file.attach(handle, FENCE_WRITE));
    Ok(())
}

/// An unload during opens succeeds or fails with `EAGAIN`, but never removes the module under an open file.
fn unload_while_opening(guest: &Guest) -> Outcome {
    let files = guest.modules()?;
    let mut random = Rng::with_seed(guest.seed);
    let crowd = Crowd::start(guest, "knock", 3)?;
    let mut gone = 0;
    for _ in 0..60 {
        linger(&mut random);
        match modules::remove(guest.driver.module()) {
            Ok(()) => gone += 1,
            Err(errno) => same!(errno, Errno::AGAIN),
        }
        works!(files.load());
    }
    crowd.finish(guest.seed)?;
    holds!(modules::remove(guest.driver.module()).is_ok(), "the unused module can be unloaded ({gone} times before)");
    works!(files.load());
    Ok(())
}
