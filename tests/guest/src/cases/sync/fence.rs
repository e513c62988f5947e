// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! How a fence ends: by its signaller, its time, its set, its file, its device (L5, L6, L15, L19).
//!
//! Source: `drivers/dma-buf/dma-fence.c`, `drivers/dma-buf/sync_file.c` (Linux 7.3).

use std::os::fd::OwnedFd;

use rustix::event::PollFlags;

use super::super::fence::sync_file::text;
use super::super::fence::waiting::woken;
use super::*;
use crate::check::skip;
use crate::pace::patient_ms;
use crate::{refuses, same, works};

crate::cases::cases! {
    "sync_fence":
    l19_ends_once, l19_failure_is_told, l19_dropped_is_cancelled, l19_close_cancels, l19_expires,
    l19_forgotten_expires, l19_names_while_pending, l19_outlives_its_module,
    l5_closing_the_set_ends_its_fences, l5_failing_the_set_leaves_it_open, l5_unbind_ends_the_set, l5_unbind_wakes_a_waiter,
    l6_unbind_does_not_wait_for_a_waiter, l15_unsignalled_keeps_the_module,
    l15_forgotten_keeps_the_module_until_it_expires,
}

const EIO: u32 = 5;
const ENODEV: i32 = 19;
const ECANCELED: u32 = 125;

/// Waits end with the fence; afterwards there is nothing left to end.
fn l19_ends_once(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let fence = works!(file.issue_new(0, 0));
    refuses!(file.syncobj_wait(fence.syncobj, 0, SHORT, 0), TIME);
    refuses!(file.driver_waits(fence.syncobj, 0, false, SHORT), TIME);
    works!(file.end(fence.id, END_SIGNAL, 0));
    refuses!(file.end(fence.id, END_SIGNAL, 0), INVAL);
    works!(file.syncobj_wait(fence.syncobj, 0, SHORT, 0));
    same!(works!(file.status(fence.syncobj)), 0);
    Ok(())
}

/// The error of the work is the fence's, for clients and drivers.
fn l19_failure_is_told(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let fence = works!(file.issue_new(0, 0));
    let sync_file = works!(file.sync_file(fence.syncobj));
    works!(file.end(fence.id, END_SIGNAL, EIO));
    same!(works!(file.status(fence.syncobj)), EIO);
    same!(works!(status_of(&sync_file)), -(EIO as i32));
    Ok(())
}

/// ECANCELED: the driver dropped it, so the work was not done.
fn l19_dropped_is_cancelled(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    for flags in [0, ON_TIMELINE, IN_SET, ON_TIMELINE | IN_SET] {
        let fence = works!(file.issue_new(flags, 0));
        works!(file.end(fence.id, END_DROP, 0));
        same!(works!(file.status(fence.syncobj)), ECANCELED);
    }
    Ok(())
}

/// A file that is closed takes its fences with it.
fn l19_close_cancels(guest: &Guest) -> Outcome {
    let (file, other) = (open(guest)?, open(guest)?);
    let fence = works!(file.issue_new(0, 0));
    let object = works!(file.syncobj_export(fence.syncobj, 0));
    drop(file);
    let theirs = works!(other.syncobj_import(0, 0, &object));
    same!(works!(other.driver_waits(theirs, 0, false, long())), ECANCELED);
    Ok(())
}

/// ETIMEDOUT: the timer was first, without an error for those who wait.
fn l19_expires(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    for flags in [0, ON_TIMELINE, IN_SET] {
        let fence = works!(file.issue_new(flags, 50));
        works!(file.syncobj_wait(fence.syncobj, 0, long(), 0));
        same!(works!(file.status(fence.syncobj)), 0);
        refuses!(file.end(fence.id, END_SIGNAL, EIO), TIMEDOUT);
        same!(works!(file.status(fence.syncobj)), 0);
    }
    Ok(())
}

/// The driver loses the signaller of a fence. Its reference, and with that its memory, are lost with it.
fn forget(file: &DrmFile, fence: Issued) -> Outcome {
    if finds_leaks() {
        return skip("this kernel would report what this leaks");
    }
    works!(file.end(fence.id, END_FORGET, 0));
    Ok(())
}

/// A signaller that nobody has any more: the timer ends the fence.
fn l19_forgotten_expires(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let fence = works!(file.issue_new(0, 50));
    forget(&file, fence)?;
    works!(file.syncobj_wait(fence.syncobj, 0, long(), 0));
    same!(works!(file.status(fence.syncobj)), 0);
    Ok(())
}

/// The names are the driver's as long as the fence is not signalled, then the kernel's.
fn l19_names_while_pending(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let fence = works!(file.issue_new(0, 0));
    let sync_file = works!(file.sync_file(fence.syncobj));
    let info = works!(device::fence_of(&sync_file));
    same!((text(&info.driver_name), text(&info.obj_name)), (NAME, "test"));
    works!(file.end(fence.id, END_SIGNAL, 0));
    same!(text(&works!(device::fence_of(&sync_file)).driver_name), "detached-driver");
    Ok(())
}

/// A signalled fence needs nothing of the driver: neither its device nor its text.
fn l19_outlives_its_module(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let (done, failed) = (works!(file.issue_new(0, 0)), works!(file.issue_new(IN_SET, 0)));
    let sync_files = [works!(file.sync_file(done.syncobj)), works!(file.sync_file(failed.syncobj))];
    works!(file.end(done.id, END_SIGNAL, 0));
    works!(file.end(failed.id, END_SIGNAL, EIO));
    drop(file);
    unload_soon()?;
    for (sync_file, status) in sync_files.iter().zip([1, -(EIO as i32)]) {
        let info = works!(device::fence_of(sync_file));
        same!((info.status, text(&info.driver_name)), (status, "detached-driver"));
        same!(works!(is_signalled(sync_file)), true);
    }
    drop(sync_files);
    open(guest).map(drop)
}

/// Hardware that is given up: what was under way ends with the error, and so does what comes after.
fn l5_closing_the_set_ends_its_fences(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let kept = works!(file.issue_new(IN_SET, 0));
    let forgotten = works!(file.issue_new(IN_SET | ON_TIMELINE, 60_000));
    let other = works!(file.issue_new(0, 0));
    if !finds_leaks() {
        forget(&file, forgotten)?;
    }
    works!(file.close_set(EIO));
    same!(works!(file.status(kept.syncobj)), EIO);
    same!(works!(file.status(forgotten.syncobj)), EIO);
    refuses!(file.end(kept.id, END_SIGNAL, 0), TIMEDOUT);
    refuses!(file.issue_new(IN_SET, 0), IO);
    refuses!(file.status(other.syncobj), TIME);
    drop(file);
    works!(unbind());
    works!(bind());
    works!(reopen()?.issue_new(IN_SET, 0));
    Ok(())
}

/// Hardware that is reset: what was under way ends with the error, what comes after does not.
fn l5_failing_the_set_leaves_it_open(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let failed = [works!(file.issue_new(IN_SET, 0)), works!(file.issue_new(IN_SET | ON_TIMELINE, 60_000))];
    let other = works!(file.issue_new(0, 0));
    works!(file.fail_set(EIO));
    for fence in &failed {
        same!(works!(file.status(fence.syncobj)), EIO);
    }
    refuses!(file.end(failed[0].id, END_SIGNAL, 0), TIMEDOUT);
    refuses!(file.status(other.syncobj), TIME);
    let next = works!(file.issue_new(IN_SET, 0));
    refuses!(file.status(next.syncobj), TIME);
    works!(file.end(next.id, END_SIGNAL, 0));
    same!(works!(file.status(next.syncobj)), 0);
    Ok(())
}

/// Sync files of fences in the set, one of them forgotten by the driver unless that were reported.
fn in_the_set(file: &DrmFile) -> Outcome<[OwnedFd; 2]> {
    let (kept, forgotten) = (works!(file.issue_new(IN_SET, 0)), works!(file.issue_new(IN_SET, 0)));
    let sync_files = [works!(file.sync_file(kept.syncobj)), works!(file.sync_file(forgotten.syncobj))];
    if !finds_leaks() {
        forget(file, forgotten)?;
    }
    Ok(sync_files)
}

/// ENODEV: no fence of the hardware is left unsignalled when its device goes, whoever holds it.
fn l5_unbind_ends_the_set(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let sync_files = in_the_set(&file)?;
    let other = works!(file.issue_new(0, 0));
    let independent = works!(file.sync_file(other.syncobj));
    same!(works!(status_of(&sync_files[0])), 0);
    works!(unbind());
    for sync_file in &sync_files {
        let info = works!(device::fence_of(sync_file));
        same!((info.status, text(&info.driver_name)), (-ENODEV, "detached-driver"));
    }
    refuses!(file.issue_new(0, 0), NODEV);
    same!(works!(status_of(&independent)), 0);
    drop(file);
    same!(works!(status_of(&independent)), -(ECANCELED as i32));
    unload_soon()?;
    same!(works!(status_of(&sync_files[1])), -ENODEV);
    open(guest).map(drop)
}

/// Somebody asleep in poll(2) on a sync file is woken by the unbind.
fn l5_unbind_wakes_a_waiter(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let sync_files = in_the_set(&file)?;
    let wake = || {
        works!(unbind());
        Ok(())
    };
    same!(works!(woken(|| sys::poll(&sync_files[1], PollFlags::IN, long_ms()), wake)?), PollFlags::IN);
    Ok(())
}

/// An unguarded ioctl that waits for a fence holds up no unbind, and goes on to the fence's end.
fn l6_unbind_does_not_wait_for_a_waiter(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let fence = works!(file.issue_new(0, patient_ms(3000)));
    let sync_file = works!(file.sync_file(fence.syncobj));
    let wake = || {
        works!(unbind());
        same!(works!(is_signalled(&sync_file)), false);
        refuses!(file.end(fence.id, END_SIGNAL, 0), NODEV);
        Ok(())
    };
    same!(works!(woken(|| file.driver_waits(fence.syncobj, 0, false, long()), wake)?), 0);
    Ok(())
}

/// EAGAIN: names and timer of an unsignalled fence are the module's.
fn l15_unsignalled_keeps_the_module(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let before = users()?;
    let fences: Vec<_> = works!((0..5).map(|_| file.issue_new(0, 0)).collect::<Result<Vec<_>, _>>());
    same!(users()?, before + 5);
    works!(file.end(fences[0].id, END_SIGNAL, 0));
    works!(file.end(fences[1].id, END_DROP, 0));
    same!(users()?, before + 3);
    refuses!(modules::remove(NAME), AGAIN);
    drop(file);
    unload_soon()?;
    open(guest).map(drop)
}

/// EAGAIN while a fence is pending that nobody can signal any more, although neither file nor device are left.
fn l15_forgotten_keeps_the_module_until_it_expires(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let fence = works!(file.issue_new(0, 1500));
    let sync_file = works!(file.sync_file(fence.syncobj));
    forget(&file, fence)?;
    drop(file);
    works!(unbind());
    let refused = modules::remove(NAME);
    let info = works!(device::fence_of(&sync_file));
    // A machine that was held up for so long says nothing.
    if info.status == 0 {
        refuses!(refused, AGAIN);
        same!(text(&info.driver_name), NAME);
    }
    same!(works!(sys::poll(&sync_file, PollFlags::IN, long_ms())), PollFlags::IN);
    unload_soon()?;
    same!(works!(status_of(&sync_file)), 1);
    open(guest).map(drop)
}
