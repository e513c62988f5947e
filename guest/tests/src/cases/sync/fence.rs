// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The ends of a fence: by its signaller, its timeout, its set, its file, its device (L5, L6, L15, L19).
//!
//! Source: `drivers/dma-buf/dma-fence.c`, `drivers/dma-buf/sync_file.c` (Linux 7.3).

use std::os::fd::OwnedFd;

use rustix::event::PollFlags;
use sys::pace::patient_ms;

use super::super::fence::sync_file::text;
use super::super::fence::waiting::woken;
use super::*;
use crate::harness::check::skip;
use crate::{refuses, same, works};

crate::cases::cases! {
    "sync_fence":
    l19_ends_once, l19_failed_fence_reports_its_error, l19_dropped_is_cancelled, l19_close_cancels, l19_expires,
    l19_forgotten_expires, l19_names_while_pending, l19_outlives_its_module, l5_closing_the_set_ends_its_fences,
    l5_failing_the_set_leaves_it_open, l5_unbind_ends_the_set, l5_unbind_wakes_a_waiter,
    l6_unbind_does_not_wait_for_a_waiter, l15_unsignalled_keeps_the_module,
    l15_forgotten_keeps_the_module_until_it_expires,
}

const EIO: u32 = 5;
const ENODEV: i32 = 19;
const ECANCELED: u32 = 125;

/// Waits end with the fence. A fence that has ended cannot be ended again.
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

/// A fence has the error of its work, for clients and drivers.
fn l19_failed_fence_reports_its_error(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let fence = works!(file.issue_new(0, 0));
    let sync_file = works!(file.sync_file(fence.syncobj));
    works!(file.end(fence.id, END_SIGNAL, EIO));
    same!(works!(file.status(fence.syncobj)), EIO);
    same!(works!(status_of(&sync_file)), -(EIO as i32));
    Ok(())
}

/// A fence that the driver drops ends with ECANCELED, since the work was not done.
fn l19_dropped_is_cancelled(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    for flags in [0, ON_TIMELINE, IN_SET, ON_TIMELINE | IN_SET] {
        let fence = works!(file.issue_new(flags, 0));
        works!(file.end(fence.id, END_DROP, 0));
        same!(works!(file.status(fence.syncobj)), ECANCELED);
    }
    Ok(())
}

/// Closing a file cancels its fences.
fn l19_close_cancels(guest: &Guest) -> Outcome {
    let (file, other) = (open(guest)?, open(guest)?);
    let fence = works!(file.issue_new(0, 0));
    let object = works!(file.syncobj_export(fence.syncobj, 0));
    drop(file);
    let theirs = works!(other.syncobj_import(0, 0, &object));
    same!(works!(other.driver_waits(theirs, 0, false, long())), ECANCELED);
    Ok(())
}

/// A fence whose timer expires first gives its signaller ETIMEDOUT, and its waiters no error.
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

/// Makes the driver leak the signaller of a fence. Its reference and memory leak with it.
fn forget(file: &DrmFile, fence: Issued) -> Outcome {
    if finds_leaks() {
        return skip("this kernel would report what this leaks");
    }
    works!(file.end(fence.id, END_FORGET, 0));
    Ok(())
}

/// The timer ends a fence whose signaller was leaked.
fn l19_forgotten_expires(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let fence = works!(file.issue_new(0, 50));
    forget(&file, fence)?;
    works!(file.syncobj_wait(fence.syncobj, 0, long(), 0));
    same!(works!(file.status(fence.syncobj)), 0);
    Ok(())
}

/// The names are the driver's while the fence is unsignalled, then the kernel's.
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

/// A signalled fence needs neither the driver's device nor its code.
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

/// Closing the set, as for lost hardware, ends its fences with the error, and so later ones.
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

/// Failing the set, as for a reset, ends its fences with the error, but not later ones.
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

/// Returns sync files of fences in the set. The driver leaks one of them, unless this kernel would report it.
fn in_the_set(file: &DrmFile) -> Outcome<[OwnedFd; 2]> {
    let (kept, forgotten) = (works!(file.issue_new(IN_SET, 0)), works!(file.issue_new(IN_SET, 0)));
    let sync_files = [works!(file.sync_file(kept.syncobj)), works!(file.sync_file(forgotten.syncobj))];
    if !finds_leaks() {
        forget(file, forgotten)?;
    }
    Ok(sync_files)
}

/// Unbinding a device ends all fences of its hardware with ENODEV, whoever holds them.
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

/// Unbinding wakes a thread that sleeps in poll(2) on a sync file.
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

/// An unguarded ioctl that waits for a fence does not delay an unbind, and continues until the fence's end.
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

/// Unloading fails with EAGAIN while a fence is unsignalled: its names and timer are the module's.
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

/// Unloading fails with EAGAIN while a leaked fence is pending, although neither file nor device is left.
fn l15_forgotten_keeps_the_module_until_it_expires(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let fence = works!(file.issue_new(0, 1500));
    let sync_file = works!(file.sync_file(fence.syncobj));
    forget(&file, fence)?;
    drop(file);
    works!(unbind());
    let refused = modules::remove(NAME);
    let info = works!(device::fence_of(&sync_file));
    // If the machine was stalled until the fence expired, there is nothing to check.
    if info.status == 0 {
        refuses!(refused, AGAIN);
        same!(text(&info.driver_name), NAME);
    }
    same!(works!(sys::poll(&sync_file, PollFlags::IN, long_ms())), PollFlags::IN);
    unload_soon()?;
    same!(works!(status_of(&sync_file)), 1);
    open(guest).map(drop)
}
