// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The DRM core's sync objects, on a driver that has them.
//!
//! Source: drivers/gpu/drm/drm_syncobj.c (Linux 7.3).

use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use sys::Answer;
use uapi::sync::{AS_SYNC_FILE, CREATE_SIGNALED, SYNCOBJ_RESET, SYNCOBJ_SIGNAL};

use super::operation::{Client, NODES, NUMBERS, Operation};
use crate::harness::check::Outcome;
use crate::same;
use crate::subjects::device::DrmFile;
use crate::works;

/// Returns all operations of sync objects.
pub(crate) fn table<F: Client>() -> Vec<Operation<F>> {
    [objects(), files(), fences()].into_iter().flatten().collect()
}

/// Describes a call on a sync object that is signalled or not, depending on `flags`.
fn on<F: Client>(name: &'static str, flags: u32, run: fn(&DrmFile, u32) -> Answer) -> Operation<F> {
    Operation::new(
        name,
        move |file: &F| Ok(works!(file.file().syncobj_create(flags))),
        move |file, handle| run(file.file(), *handle),
        |file, handle, _| destroy(file, handle),
    )
}

fn destroy<F: Client>(file: &F, handle: u32) -> Outcome {
    works!(file.file().syncobj_destroy(handle));
    // The number is free again, and no other is in use.
    let next = works!(file.file().syncobj_create(0));
    same!(next, handle);
    works!(file.file().syncobj_destroy(next));
    Ok(())
}

fn objects<F: Client>() -> Vec<Operation<F>> {
    vec![
        create("SYNCOBJ_CREATE", 0),
        create("SYNCOBJ_CREATE, signalled", CREATE_SIGNALED),
        Operation::new(
            "SYNCOBJ_DESTROY",
            |file: &F| Ok(works!(file.file().syncobj_create(0))),
            |file, handle| file.file().syncobj_destroy(*handle),
            |file, handle, done| if done { Ok(()) } else { destroy(file, handle) },
        ),
    ]
}

fn create<F: Client>(name: &'static str, flags: u32) -> Operation<F> {
    Operation::new(
        name,
        |_| Ok(0),
        move |file: &F, handle| {
            *handle = file.file().syncobj_create(flags)?;
            Ok(())
        },
        |file, handle, done| if done { destroy(file, handle) } else { Ok(()) },
    )
    .stands(&[NUMBERS, NODES])
}

fn files<F: Client>() -> Vec<Operation<F>> {
    vec![
        on("SYNCOBJ_HANDLE_TO_FD", 0, |file, handle| file.syncobj_export(handle, 0).map(drop)),
        // Whichever allocation fails, `drm_syncobj_export_sync_file` reports that it got no sync file.
        on("SYNCOBJ_HANDLE_TO_FD as a sync file", CREATE_SIGNALED, |file, handle| {
            file.syncobj_export(handle, AS_SYNC_FILE).map(drop)
        })
        .wants(&[Errno::NOMEM, Errno::INVAL]),
        Operation::new(
            "SYNCOBJ_FD_TO_HANDLE",
            |file: &F| {
                let handle = works!(file.file().syncobj_create(0));
                Ok((handle, works!(file.file().syncobj_export(handle, 0)), 0))
            },
            |file, (_, fd, made)| {
                *made = file.file().syncobj_import(0, 0, fd)?;
                Ok(())
            },
            |file, (handle, _, made), done| {
                if done {
                    destroy(file, made)?;
                }
                destroy(file, handle)
            },
        )
        .stands(&[NUMBERS, NODES]),
        Operation::new(
            "SYNCOBJ_FD_TO_HANDLE of a sync file",
            |file: &F| {
                let handle = works!(file.file().syncobj_create(CREATE_SIGNALED));
                Ok((handle, works!(file.file().syncobj_export(handle, AS_SYNC_FILE))))
            },
            |file, (handle, fd)| file.file().syncobj_import(*handle, AS_SYNC_FILE, fd).map(drop),
            |file, (handle, _), _| destroy(file, handle),
        ),
        Operation::new(
            "SYNCOBJ_EVENTFD",
            |file: &F| {
                let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
                Ok((works!(file.file().syncobj_create(0)), works!(eventfd(0, flags))))
            },
            |file, (handle, event)| file.file().syncobj_eventfd(*handle, 0, event),
            |file, (handle, event), done| {
                works!(file.file().syncobj_set(&SYNCOBJ_SIGNAL, handle));
                same!(rustix::io::read(&event, &mut [0; 8]).is_ok(), done);
                destroy(file, handle)
            },
        ),
    ]
}

fn fences<F: Client>() -> Vec<Operation<F>> {
    vec![
        on("SYNCOBJ_SIGNAL", 0, |file, handle| file.syncobj_set(&SYNCOBJ_SIGNAL, handle)),
        on("SYNCOBJ_RESET", CREATE_SIGNALED, |file, handle| file.syncobj_set(&SYNCOBJ_RESET, handle)),
        on("SYNCOBJ_TIMELINE_SIGNAL", 0, |file, handle| file.syncobj_signal_point(handle, 3)),
        on("SYNCOBJ_QUERY", 0, |file, handle| file.syncobj_query(handle).map(drop)),
        on("SYNCOBJ_WAIT", CREATE_SIGNALED, |file, handle| file.syncobj_wait_now(handle, Duration::ZERO)),
        on("SYNCOBJ_TIMELINE_WAIT", CREATE_SIGNALED, |file, handle| file.syncobj_wait(handle, 0, Duration::ZERO, 0)),
        on("SYNCOBJ_TRANSFER", CREATE_SIGNALED, |file, handle| file.syncobj_transfer((handle, 0), (handle, 7))),
    ]
}
