// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Sync objects: handles and timelines, by the core's ioctls and by the driver's (L11, L12).
//!
//! Source: `drivers/gpu/drm/drm_syncobj.c` (Linux 7.3).

use rustix::event::EventfdFlags;
use uapi::sync::{SYNCOBJ_RESET, SYNCOBJ_SIGNAL};

use super::super::fence::waiting::woken;
use super::*;
use crate::{refuses, same, works};

crate::cases::cases! {
    "syncobj":
    capabilities, l12_unknown_handles, l12_handles_belong_to_the_file, l12_closed_handle, without_a_fence,
    signalled_from_the_start, signalled_and_reset_by_the_client, timeline_is_in_order, point_that_is_not_there,
    point_out_of_order, point_replaced_by_a_fence, client_signalled_point_waits_for_earlier_ones, transferred_point,
    sync_file_into_an_object, waits_for_submission, core_waits_for_submission, eventfd_is_set_when_its_point_expires,
    l11_syncobj_is_usable_after_rebind, l11_outlives_the_module,
}

/// The capabilities report the driver's two features.
fn capabilities(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    same!((works!(file.capability(0x13)), works!(file.capability(0x14))), (1, 1));
    Ok(())
}

/// Handles never given fail with ENOENT. Zero means "a new one" for `issue` alone.
fn l12_unknown_handles(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    for unknown in [1, 99, 0x7fff_ffff, u32::MAX] {
        refuses!(file.issue_at(unknown, 0), NOENT);
        refuses!(file.status(unknown), NOENT);
        refuses!(file.syncobj_wait(unknown, 0, SHORT, 0), NOENT);
        refuses!(file.syncobj_destroy(unknown), INVAL);
    }
    refuses!(file.status(0), NOENT);
    Ok(())
}

/// A handle of another file fails with ENOENT.
fn l12_handles_belong_to_the_file(guest: &Guest) -> Outcome {
    let (file, other) = (open(guest)?, open(guest)?);
    let fence = works!(file.issue_new(0, 0));
    refuses!(other.status(fence.syncobj), NOENT);
    refuses!(other.issue_at(fence.syncobj, 0), NOENT);
    refuses!(other.end(fence.id, END_SIGNAL, 0), INVAL);
    let shared = works!(file.syncobj_export(fence.syncobj, 0));
    let theirs = works!(other.syncobj_import(0, 0, &shared));
    refuses!(other.status(theirs), TIME);
    works!(file.end(fence.id, END_SIGNAL, 0));
    same!(works!(other.status(theirs)), 0);
    Ok(())
}

/// A destroyed handle fails with ENOENT, but its fence continues.
fn l12_closed_handle(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let fence = works!(file.issue_new(0, 0));
    works!(file.syncobj_destroy(fence.syncobj));
    refuses!(file.status(fence.syncobj), NOENT);
    refuses!(file.syncobj_destroy(fence.syncobj), INVAL);
    works!(file.end(fence.id, END_SIGNAL, 0));
    Ok(())
}

/// Waiting without a fence fails with EINVAL.
fn without_a_fence(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let object = works!(file.syncobj_create(0));
    refuses!(file.status(object), INVAL);
    refuses!(file.syncobj_wait(object, 0, SHORT, 0), INVAL);
    refuses!(file.syncobj_export(object, AS_SYNC_FILE), INVAL);
    Ok(())
}

/// The core's stub fence, with which an object is created signalled, works like any other.
fn signalled_from_the_start(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let object = works!(file.syncobj_create(CREATE_SIGNALED));
    same!(works!(file.status(object)), 0);
    works!(file.issue(SyncIssue { syncobj: object, ..Default::default() }));
    refuses!(file.status(object), TIME);
    Ok(())
}

/// A client that signals or resets the object replaces the driver's fence, which continues.
fn signalled_and_reset_by_the_client(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let fence = works!(file.issue_new(0, 0));
    let sync_file = works!(file.sync_file(fence.syncobj));
    works!(file.syncobj_set(&SYNCOBJ_SIGNAL, fence.syncobj));
    same!(works!(file.status(fence.syncobj)), 0);
    works!(file.syncobj_set(&SYNCOBJ_RESET, fence.syncobj));
    refuses!(file.status(fence.syncobj), INVAL);
    same!(works!(status_of(&sync_file)), 0);
    works!(file.end(fence.id, END_SIGNAL, 0));
    same!(works!(status_of(&sync_file)), 1);
    Ok(())
}

/// A point is signalled when its fence and all before it are.
fn timeline_is_in_order(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let line = works!(file.syncobj_create(0));
    let fences =
        [works!(file.issue_at(line, 1)).id, works!(file.issue_at(line, 2)).id, works!(file.issue_at(line, 5)).id];
    same!(works!(file.syncobj_query(line)), 0);
    works!(file.end(fences[0], END_SIGNAL, 0));
    same!(works!(file.syncobj_query(line)), 1);
    works!(file.syncobj_wait(line, 1, SHORT, 0));
    refuses!(file.syncobj_wait(line, 2, SHORT, 0), TIME);
    // The last fence ends before the one in the middle, so the timeline does not advance yet.
    works!(file.end(fences[2], END_SIGNAL, 0));
    same!(works!(file.syncobj_query(line)), 1);
    works!(file.end(fences[1], END_SIGNAL, 0));
    same!(works!(file.syncobj_query(line)), 5);
    for point in [1, 2, 3, 4, 5] {
        same!(works!(file.driver_waits(line, point, false, SHORT)), 0);
    }
    Ok(())
}

/// Waiting beyond the last point fails with EINVAL.
fn point_that_is_not_there(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let line = works!(file.syncobj_create(0));
    let fence = works!(file.issue_at(line, 5));
    refuses!(file.driver_waits(line, 6, false, SHORT), INVAL);
    refuses!(file.syncobj_wait(line, 6, SHORT, 0), INVAL);
    refuses!(file.driver_waits(line, 3, false, SHORT), TIME);
    works!(file.end(fence.id, END_SIGNAL, 0));
    refuses!(file.driver_waits(line, 6, false, SHORT), INVAL);
    Ok(())
}

/// A point that is not higher than the last one gets the last one's number.
fn point_out_of_order(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let line = works!(file.syncobj_create(0));
    let (first, second) = (works!(file.issue_at(line, 5)), works!(file.issue_at(line, 3)));
    works!(file.end(first.id, END_SIGNAL, 0));
    works!(file.end(second.id, END_SIGNAL, 0));
    same!(works!(file.syncobj_query(line)), 5);
    Ok(())
}

/// A plain fence replaces the timeline.
fn point_replaced_by_a_fence(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let line = works!(file.syncobj_create(0));
    works!(file.issue_at(line, 7));
    let fence = works!(file.issue(SyncIssue { syncobj: line, ..Default::default() }));
    refuses!(file.status(line), TIME);
    works!(file.end(fence.id, END_SIGNAL, 0));
    same!(works!(file.status(line)), 0);
    same!(works!(file.syncobj_query(line)), 0);
    Ok(())
}

/// A point that the client signals waits for the driver's points before it.
fn client_signalled_point_waits_for_earlier_ones(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let line = works!(file.syncobj_create(0));
    let fence = works!(file.issue_at(line, 1));
    works!(file.syncobj_signal_point(line, 2));
    refuses!(file.driver_waits(line, 2, false, SHORT), TIME);
    works!(file.end(fence.id, END_SIGNAL, 0));
    same!(works!(file.driver_waits(line, 2, false, SHORT)), 0);
    same!(works!(file.syncobj_query(line)), 2);
    Ok(())
}

/// A point can be transferred to another object as its fence, and the other way round.
fn transferred_point(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let (line, plain, other) =
        (works!(file.syncobj_create(0)), works!(file.syncobj_create(0)), works!(file.syncobj_create(0)));
    let fence = works!(file.issue_at(line, 4));
    works!(file.syncobj_transfer((line, 4), (plain, 0)));
    works!(file.syncobj_transfer((plain, 0), (other, 9)));
    refuses!(file.status(plain), TIME);
    refuses!(file.driver_waits(other, 9, false, SHORT), TIME);
    works!(file.end(fence.id, END_SIGNAL, 0));
    same!(works!(file.status(plain)), 0);
    same!(works!(file.driver_waits(other, 9, false, SHORT)), 0);
    Ok(())
}

/// A sync file carries a fence from one object to another, of another file.
fn sync_file_into_an_object(guest: &Guest) -> Outcome {
    let (file, other) = (open(guest)?, open(guest)?);
    let fence = works!(file.issue_new(0, 0));
    let object = works!(other.syncobj_create(0));
    works!(other.syncobj_import(object, AS_SYNC_FILE, &works!(file.sync_file(fence.syncobj))));
    refuses!(other.status(object), TIME);
    works!(file.end(fence.id, END_SIGNAL, 0));
    same!(works!(other.status(object)), 0);
    Ok(())
}

/// The driver waits until a fence is put in, then for the fence.
fn waits_for_submission(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    for point in [0, 4] {
        let object = works!(file.syncobj_create(0));
        let wake = || {
            let fence = works!(file.issue_at(object, point));
            works!(file.end(fence.id, END_SIGNAL, 0));
            Ok(())
        };
        let got = woken(|| file.driver_waits(object, point, true, long()), wake)?;
        same!(works!(got), 0);
    }
    Ok(())
}

/// The core's own wait does the same.
fn core_waits_for_submission(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    for point in [0, 4] {
        let object = works!(file.syncobj_create(0));
        let wake = || {
            let fence = works!(file.issue_at(object, point));
            works!(file.end(fence.id, END_SIGNAL, 0));
            Ok(())
        };
        let got = woken(|| file.syncobj_wait(object, point, long(), WAIT_FOR_SUBMIT), wake)?;
        works!(got);
    }
    Ok(())
}

/// An eventfd is set when the fence of its point expires.
fn eventfd_is_set_when_its_point_expires(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let line = works!(file.syncobj_create(0));
    let event = works!(rustix::event::eventfd(0, EventfdFlags::CLOEXEC));
    works!(file.syncobj_eventfd(line, 1, &event));
    let wanted = SyncIssue { syncobj: line, point: 1, timeout_ms: 300, ..Default::default() };
    works!(file.issue(wanted));
    same!(works!(sys::poll(&event, PollFlags::IN, long_ms())), PollFlags::IN);
    same!(works!(file.syncobj_query(line)), 1);
    Ok(())
}

/// A sync object belongs to no device: the unbind ends its fence, and a client of the next device can import and use
/// it.
fn l11_syncobj_is_usable_after_rebind(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let fence = works!(file.issue_new(IN_SET, 0));
    let object = works!(file.syncobj_export(fence.syncobj, 0));
    works!(unbind());
    refuses!(file.syncobj_destroy(fence.syncobj), NODEV);
    drop(file);
    works!(bind());
    let file = reopen()?;
    let handle = works!(file.syncobj_import(0, 0, &object));
    same!(works!(file.status(handle)), 19);
    let fence = works!(file.issue(SyncIssue { syncobj: handle, ..Default::default() }));
    works!(file.end(fence.id, END_SIGNAL, 0));
    same!(works!(file.status(handle)), 0);
    Ok(())
}

/// A timeline with signalled points keeps no reference to the driver.
fn l11_outlives_the_module(guest: &Guest) -> Outcome {
    let file = open(guest)?;
    let line = works!(file.syncobj_create(0));
    for point in [1, 2, 3] {
        works!(file.issue_at(line, point));
    }
    let object = works!(file.syncobj_export(line, 0));
    drop(file);
    unload_soon()?;
    let file = open(guest)?;
    let line = works!(file.syncobj_import(0, 0, &object));
    same!(works!(file.syncobj_query(line)), 3);
    works!(file.syncobj_wait(line, 3, SHORT, 0));
    Ok(())
}
