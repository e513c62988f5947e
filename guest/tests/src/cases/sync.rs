// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Fences, sync objects and events, with a driver that makes them on request (`kernel/tests/sync`).
//!
//! Source: `drivers/dma-buf/dma-fence.c`, `drivers/gpu/drm/drm_syncobj.c`, `drm_file.c` (Linux 7.3).

pub(crate) mod event;
pub(crate) mod fence;
pub(crate) mod stress;
pub(crate) mod syncobj;

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use sys::Answer;
use sys::pace::{patient, patient_ms};
use sys::write;
use uapi::sync::*;

use crate::harness::check::{Outcome, fail};
use crate::harness::modules;
use crate::harness::slabs::finds_leaks;
use crate::subjects::bus::{load, nodes};
use crate::subjects::device::{self, DrmFile};
use crate::subjects::driver::module_users;
use crate::subjects::guest::Guest;
use crate::{same, works};

/// The name of the driver, its module and its device.
const NAME: &str = "sync_test";

/// Returns a limit far above the duration of anything that a case waits for.
fn long() -> Duration {
    patient(Duration::from_secs(8))
}

/// Like `long`, in milliseconds.
fn long_ms() -> u64 {
    patient_ms(8_000).into()
}

/// A wait that is long enough to see that nothing happens.
const SHORT: Duration = Duration::from_millis(20);

/// Unbinds the driver from its device.
fn unbind() -> Answer {
    write("/sys/bus/platform/drivers/sync_test/unbind", NAME)
}

/// Binds the driver to its device again.
fn bind() -> Answer {
    write("/sys/bus/platform/drivers/sync_test/bind", NAME)
}

/// Opens the device, and binds it before that if an earlier case unbound it.
pub(super) fn open(guest: &Guest) -> Outcome<DrmFile> {
    load(guest, NAME)?;
    if nodes(NAME).is_empty() {
        works!(bind());
    }
    reopen()
}

/// Opens the device, which must be bound.
fn reopen() -> Outcome<DrmFile> {
    match nodes(NAME).as_slice() {
        [node] => Ok(works!(DrmFile::open(node))),
        nodes => fail(format!("driver `{NAME}` has {} devices", nodes.len())),
    }
}

/// Returns how many users the module has: open files and unsignalled fences.
fn users() -> Outcome<u32> {
    match module_users(NAME)? {
        Some(users) => Ok(users),
        None => fail(format!("module `{NAME}` is not loaded")),
    }
}

/// Calls delete_module(2) until the last timer of a fence has dropped its reference to the module.
fn unload_soon() -> Outcome {
    let start = Instant::now();
    while let Err(errno) = modules::remove(NAME) {
        if start.elapsed() > long() || errno != rustix::io::Errno::AGAIN {
            return fail(format!("the module cannot be unloaded: {errno}, {} users", users()?));
        }
        std::thread::yield_now();
    }
    same!(module_users(NAME)?, None);
    Ok(())
}

/// A fence in a sync object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issued {
    pub(super) id: u32,
    pub(super) syncobj: u32,
}

impl DrmFile {
    /// Makes a fence in the sync object of `wanted`, or in a new one.
    fn issue(&self, wanted: SyncIssue) -> Answer<Issued> {
        let SyncIssue { id, syncobj, .. } = self.ioctl(&SYNC_ISSUE, wanted)?;
        Ok(Issued { id, syncobj })
    }

    /// Makes a fence in a new sync object.
    pub(in crate::cases) fn issue_new(&self, flags: u32, timeout_ms: u32) -> Answer<Issued> {
        self.issue(SyncIssue { flags, timeout_ms, ..Default::default() })
    }

    /// Makes a fence at a point of a timeline.
    fn issue_at(&self, syncobj: u32, point: u64) -> Answer<Issued> {
        self.issue(SyncIssue { syncobj, point, flags: ON_TIMELINE, ..Default::default() })
    }

    /// Ends a fence with `error` (0: success), or drops or forgets it.
    pub(in crate::cases) fn end(&self, id: u32, action: u32, error: u32) -> Answer {
        self.ioctl(&SYNC_END, SyncEnd { id, error, action, pad: 0 }).map(drop)
    }

    /// Makes the driver wait for the fence that it finds. Returns the error with which the wait ended, or 0.
    fn driver_waits(&self, syncobj: u32, point: u64, for_submit: bool, limit: Duration) -> Answer<u32> {
        let timeout_ms = u32::try_from(limit.as_millis()).expect("limits are small");
        let wanted = SyncWait { point, syncobj, for_submit: for_submit.into(), timeout_ms, status: 0 };
        Ok(self.ioctl(&SYNC_WAIT, wanted)?.status)
    }

    /// Returns the error with which a sync object's fence has ended already, or 0.
    fn status(&self, syncobj: u32) -> Answer<u32> {
        self.driver_waits(syncobj, 0, false, SHORT)
    }

    /// Reserves an event that carries a fence (0: none).
    fn reserve(&self, cookie: u64, id: u32) -> Answer {
        self.ioctl(&SYNC_NOTIFY, SyncNotify { cookie, action: EVENT_KEEP, id }).map(drop)
    }

    /// Sends, drops or keeps the reserved events, depending on `action`.
    fn notify(&self, action: u32) -> Answer {
        self.ioctl(&SYNC_NOTIFY, SyncNotify { action, ..Default::default() }).map(drop)
    }

    /// Ends all fences of the device's set, and closes the set.
    fn close_set(&self, error: u32) -> Answer {
        self.ioctl(&SYNC_CLOSE, SyncClose { error, stays_open: 0 }).map(drop)
    }

    /// Ends the fences that are in the device's set now.
    fn fail_set(&self, error: u32) -> Answer {
        self.ioctl(&SYNC_CLOSE, SyncClose { error, stays_open: 1 }).map(drop)
    }

    /// Exports a sync object's fence as a sync file.
    fn sync_file(&self, syncobj: u32) -> Answer<OwnedFd> {
        self.syncobj_export(syncobj, AS_SYNC_FILE)
    }
}

/// Whether the fence of a sync file is signalled.
pub(super) fn is_signalled(sync_file: &OwnedFd) -> Answer<bool> {
    Ok(sys::poll(sync_file, PollFlags::IN, 0)?.contains(PollFlags::IN))
}

/// Returns how a fence ended: 0 while it is pending, 1, or the negative error.
pub(crate) fn status_of(sync_file: &OwnedFd) -> Answer<i32> {
    Ok(device::fence_of(sync_file)?.status)
}
