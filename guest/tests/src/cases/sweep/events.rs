// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Fences and events of a driver that makes them on request (`kernel/tests/sync`), which no other driver's clients can.
//!
//! Source: `kernel/tests/sync/sync_test_drm.h`; `drm_read`, `drm_event_reserve_init` in drivers/gpu/drm/drm_file.c
//! (Linux 7.3).

use sys::Answer;
use uapi::sync::*;

use crate::cases::sync;
use crate::harness::check::Outcome;
use crate::harness::modules;
use crate::subjects::bus;
use crate::subjects::device::{self, DrmFile};
use crate::subjects::guest::Guest;
use crate::sweeps::operation::{Client, EVENT, NODES, Operation};
use crate::sweeps::run::{sweep, unused};
use crate::sweeps::syncobj;
use crate::{same, works};

crate::cases::cases! {
    "sweep":
    sync_objects within 240, fences_and_events within 240,
}

/// The name of the driver, its module and its device.
const NAME: &str = "sync_test";

/// A file of the driver, whose objects are sync objects.
struct Synced(DrmFile);

impl Client for Synced {
    fn file(&self) -> &DrmFile {
        &self.0
    }

    fn like(&self, file: DrmFile) -> Self {
        Self(file)
    }

    fn object(&self) -> Answer<u32> {
        self.0.syncobj_create(0)
    }

    fn works(&self) -> Outcome<String> {
        let handle = works!(self.0.syncobj_create(CREATE_SIGNALED));
        works!(self.0.syncobj_destroy(handle));
        Ok(format!("sync object {handle}"))
    }
}

fn of_sync_test(guest: &Guest, table: Vec<Operation<Synced>>) -> Outcome {
    let reload = || {
        works!(modules::remove(NAME));
        bus::load(guest, NAME)
    };
    sweep(guest, &table, || sync::open(guest).map(Synced), || unused(NAME), reload)
}

fn sync_objects(guest: &Guest) -> Outcome {
    of_sync_test(guest, syncobj::table())
}

fn fences_and_events(guest: &Guest) -> Outcome {
    of_sync_test(guest, vec![issue("ISSUE", 0), issue("ISSUE on a timeline", ON_TIMELINE), info(), reserve(), read()])
}

/// Issues a fence in a sync object, or at a point of it.
fn issue(name: &'static str, flags: u32) -> Operation<Synced> {
    Operation::new(
        name,
        |file: &Synced| Ok((works!(file.0.syncobj_create(0)), 0)),
        move |file, (syncobj, fence)| {
            let point = u64::from(flags & ON_TIMELINE);
            *fence = file.0.ioctl(&SYNC_ISSUE, SyncIssue { point, syncobj: *syncobj, flags, ..Default::default() })?.id;
            Ok(())
        },
        |file, (syncobj, fence), done| {
            if done {
                works!(file.0.end(fence, END_SIGNAL, 0));
            }
            works!(file.0.syncobj_destroy(syncobj));
            Ok(())
        },
    )
    .stands(&[NODES])
}

/// Queries a sync file, which reports the names of its fence's driver and timeline.
fn info() -> Operation<Synced> {
    Operation::new(
        "SYNC_IOC_FILE_INFO",
        |file: &Synced| {
            let made = works!(file.0.issue_new(0, 0));
            Ok((made, works!(file.0.syncobj_export(made.syncobj, AS_SYNC_FILE))))
        },
        |_, (_, fence)| device::fence_of(fence).map(drop),
        |file, (made, _), _| {
            works!(file.0.end(made.id, END_SIGNAL, 0));
            works!(file.0.syncobj_destroy(made.syncobj));
            Ok(())
        },
    )
}

fn notify(file: &Synced, action: u32) -> Answer {
    file.0.ioctl(&SYNC_NOTIFY, SyncNotify { cookie: 3, action, id: 0 }).map(drop)
}

/// Reserves an event. A failure reserves nothing and leaves nothing to read.
fn reserve() -> Operation<Synced> {
    Operation::new(
        "NOTIFY",
        |_| Ok(()),
        |file: &Synced, ()| notify(file, EVENT_KEEP),
        |file, (), done| {
            works!(notify(file, EVENTS_SEND));
            same!(works!(device::readable_now(&file.0)), done);
            if done {
                works!(rustix::io::read(&file.0, &mut [0; 64]));
            }
            Ok(())
        },
    )
}

/// Reads an event. An event that cannot be copied stays.
fn read() -> Operation<Synced> {
    Operation::new(
        "read of an event",
        |file: &Synced| {
            works!(notify(file, EVENT_KEEP));
            works!(notify(file, EVENTS_SEND));
            Ok(())
        },
        |file, ()| rustix::io::read(&file.0, &mut [0; 64]).map(drop),
        |file, (), done| {
            same!(works!(device::readable_now(&file.0)), !done);
            if !done {
                works!(rustix::io::read(&file.0, &mut [0; 64]));
            }
            Ok(())
        },
    )
    .within(EVENT)
}
