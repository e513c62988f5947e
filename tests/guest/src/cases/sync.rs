// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Fences, sync objects and events, by the driver that makes them on request (`kernel/tests/sync`).
//!
//! Source: `drivers/dma-buf/dma-fence.c`, `drivers/gpu/drm/drm_syncobj.c`, `drm_file.c` (Linux 7.3).

pub(crate) mod event;
pub(crate) mod fence;
pub(crate) mod stress;
pub(crate) mod syncobj;

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use super::bus::{load, nodes};
use crate::check::{Outcome, fail};
use crate::device::{self, DrmFile};
use crate::driver::module_users;
use crate::guest::{Guest, finds_leaks};
use crate::pace::{patient, patient_ms};
use crate::sys::write;
use crate::sys::{self, Answer};
use crate::uapi::sync::*;
use crate::{modules, same, works};

/// The driver, its module and its device: all have one name.
const NAME: &str = "sync_test";

/// Much longer than anything takes that is waited for.
fn long() -> Duration {
    patient(Duration::from_secs(8))
}

/// The same in milliseconds.
fn long_ms() -> u64 {
    patient_ms(8_000).into()
}

/// Long enough to see that nothing comes.
const SHORT: Duration = Duration::from_millis(20);

/// Takes the device from its driver.
fn unbind() -> Answer {
    write("/sys/bus/platform/drivers/sync_test/unbind", NAME)
}

/// Gives it back.
fn bind() -> Answer {
    write("/sys/bus/platform/drivers/sync_test/bind", NAME)
}

/// A new file of the device, brought back if an earlier case took it away.
pub(super) fn open(guest: &Guest) -> Outcome<DrmFile> {
    load(guest, NAME)?;
    if nodes(NAME).is_empty() {
        works!(bind());
    }
    reopen()
}

/// A new file of the device, which is there.
fn reopen() -> Outcome<DrmFile> {
    match nodes(NAME).as_slice() {
        [node] => Ok(works!(DrmFile::open(node))),
        nodes => fail(format!("driver `{NAME}` has {} devices", nodes.len())),
    }
}

/// How many users the module has: open files and unsignalled fences.
fn users() -> Outcome<u32> {
    match module_users(NAME)? {
        Some(users) => Ok(users),
        None => fail(format!("module `{NAME}` is not loaded")),
    }
}

/// delete_module(2), until the last timer of a fence has let go of the module.
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
    /// A fence in the sync object of `wanted`, or in a new one.
    fn issue(&self, wanted: SyncIssue) -> Answer<Issued> {
        let SyncIssue { id, syncobj, .. } = self.ioctl(&SYNC_ISSUE, wanted)?;
        Ok(Issued { id, syncobj })
    }

    /// A fence in a new sync object.
    pub(in crate::cases) fn issue_new(&self, flags: u32, timeout_ms: u32) -> Answer<Issued> {
        self.issue(SyncIssue { flags, timeout_ms, ..Default::default() })
    }

    /// A fence at a point of a timeline.
    fn issue_at(&self, syncobj: u32, point: u64) -> Answer<Issued> {
        self.issue(SyncIssue { syncobj, point, flags: ON_TIMELINE, ..Default::default() })
    }

    /// Ends a fence with `error` (0: success), or drops or forgets it.
    pub(in crate::cases) fn end(&self, id: u32, action: u32, error: u32) -> Answer {
        self.ioctl(&SYNC_END, SyncEnd { id, error, action, pad: 0 }).map(drop)
    }

    /// The driver's own wait for the fence that it finds; the error with which that ended, or 0.
    fn driver_waits(&self, syncobj: u32, point: u64, for_submit: bool, limit: Duration) -> Answer<u32> {
        let timeout_ms = u32::try_from(limit.as_millis()).expect("limits are small");
        let wanted = SyncWait { point, syncobj, for_submit: for_submit.into(), timeout_ms, status: 0 };
        Ok(self.ioctl(&SYNC_WAIT, wanted)?.status)
    }

    /// The error with which the fence of a sync object has ended already, or 0.
    fn status(&self, syncobj: u32) -> Answer<u32> {
        self.driver_waits(syncobj, 0, false, SHORT)
    }

    /// Reserves an event that takes a fence with it (0: none).
    fn reserve(&self, cookie: u64, id: u32) -> Answer {
        self.ioctl(&SYNC_NOTIFY, SyncNotify { cookie, action: EVENT_KEEP, id }).map(drop)
    }

    /// Decides what becomes of the reserved events.
    fn notify(&self, action: u32) -> Answer {
        self.ioctl(&SYNC_NOTIFY, SyncNotify { action, ..Default::default() }).map(drop)
    }

    /// Ends all fences of the device's set, and closes it.
    fn close_set(&self, error: u32) -> Answer {
        self.ioctl(&SYNC_CLOSE, SyncClose { error, stays_open: 0 }).map(drop)
    }

    /// Ends the fences that are in the device's set now.
    fn fail_set(&self, error: u32) -> Answer {
        self.ioctl(&SYNC_CLOSE, SyncClose { error, stays_open: 1 }).map(drop)
    }

    /// The fence of a sync object as a sync file.
    fn sync_file(&self, syncobj: u32) -> Answer<OwnedFd> {
        self.syncobj_export(syncobj, AS_SYNC_FILE)
    }
}

/// Whether the fence of a sync file is signalled.
pub(super) fn is_signalled(sync_file: &OwnedFd) -> Answer<bool> {
    Ok(sys::poll(sync_file, PollFlags::IN, 0)?.contains(PollFlags::IN))
}

/// How a fence ended: 0 while it has not, 1, or the negative error.
pub(super) fn status_of(sync_file: &OwnedFd) -> Answer<i32> {
    Ok(device::fence_of(sync_file)?.status)
}
