// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Sync objects and sync files.
//!
//! Source: `include/uapi/drm/drm.h`, `linux/sync_file.h` (Linux 7.3).

use uapi::sync::*;
use uapi::{SYNC_FILE_INFO, SYNC_MERGE, SYNC_SET_DEADLINE};

use super::Kind::{Count, Ends, Flags, Gives, Number, Room, Rows, Takes, Time, Zeros};
use super::{Class, Field, Kind, PAD, Spec, drm, field, ioctl};

/// The largest count. Above 2^19 `drm_syncobj_array_find()` warns about the size of its allocation
/// (docs/reference/c-core-faults.md, "Sync objects").
const COUNT: Kind = Count(1 << 18);
const HANDLES: Kind = Rows(&[field("handle", Takes(4, Class::Syncobj))]);
const POINTS: Kind = Rows(&[field("point", POINT)]);
/// A point where there can be none.
const NO_POINT: Kind = Number(8, &[0, 0, 0, 0, 1, u64::MAX]);
/// The point as which a sync file is imported. `drm_syncobj_import_sync_file_fence()` tolerates none: it warns when the file's fence is
/// itself a point, and leaks when there is no memory (docs/reference/c-core-faults.md, "Sync objects").
const IMPORT_POINT: Kind = Zeros(8);
const POINT: Kind = Number(8, &[0, 1, 2, 3, 10, u64::MAX]);

/// The limit of a wait. The last value waits until the call is interrupted.
const TIMEOUT: Kind = Time(&[0, 0, 0, 0, 0, 0, 0, 1, 1 << 20, 0x7fff_ffff_ffff_ffff]);
/// WAIT_ALL, WAIT_FOR_SUBMIT, WAIT_AVAILABLE, WAIT_DEADLINE
const WAIT: Kind = Flags(4, &[1, 2, 4, 8]);

/// `struct drm_syncobj_array`
const ARRAY: &[Field] = &[field("handles", HANDLES), field("count", COUNT), field("pad", PAD)];

/// `struct drm_syncobj_timeline_array`
const TIMELINE: &[Field] =
    &[field("handles", HANDLES), field("points", POINTS), field("count", COUNT), field("flags", Flags(4, &[1]))];

/// `struct drm_syncobj_handle`
const TO_SYNCOBJ_FILE: &[Field] = &[
    field("handle", Takes(4, Class::Syncobj)),
    field("flags", Flags(4, &[2])),
    field("fd", Gives(4, Class::SyncobjFile)),
    field("pad", PAD),
    field("point", NO_POINT),
];
const TO_SYNC_FILE: &[Field] = &[
    field("handle", Takes(4, Class::Syncobj)),
    field("flags", Number(4, &[1, 1, 3, 0])),
    field("fd", Gives(4, Class::SyncFile)),
    field("pad", PAD),
    field("point", POINT),
];

const NAME: Field = field("name", Zeros(32));

pub(super) const CALLS: &[Spec] = &[
    drm("syncobj_create", SYNCOBJ_CREATE, &[field("handle", Gives(4, Class::Syncobj)), field("flags", Flags(4, &[1]))]),
    drm("syncobj_destroy", SYNCOBJ_DESTROY, &[field("handle", Ends(4, Class::Syncobj)), field("pad", PAD)]).weighs(3),
    drm("syncobj_to_file", SYNCOBJ_HANDLE_TO_FD, TO_SYNCOBJ_FILE).weighs(3),
    drm("syncobj_to_sync_file", SYNCOBJ_HANDLE_TO_FD, TO_SYNC_FILE).weighs(4),
    drm(
        "syncobj_from_file",
        SYNCOBJ_FD_TO_HANDLE,
        &[
            field("handle", Gives(4, Class::Syncobj)),
            field("flags", Flags(4, &[2])),
            field("fd", Takes(4, Class::SyncobjFile)),
            field("pad", PAD),
            field("point", IMPORT_POINT),
        ],
    )
    .weighs(3),
    drm(
        "syncobj_from_sync_file",
        SYNCOBJ_FD_TO_HANDLE,
        &[
            field("handle", Takes(4, Class::Syncobj)),
            field("flags", Number(4, &[1, 1, 3, 0])),
            field("fd", Takes(4, Class::SyncFile)),
            field("pad", PAD),
            field("point", IMPORT_POINT),
        ],
    )
    .weighs(3),
    drm(
        "syncobj_wait",
        SYNCOBJ_WAIT,
        &[
            field("handles", HANDLES),
            field("timeout", TIMEOUT),
            field("count", COUNT),
            field("flags", WAIT),
            field("first_signaled", PAD),
            field("pad", PAD),
            field("deadline", Time(&[0, 1])),
        ],
    )
    .weighs(4),
    drm("syncobj_reset", SYNCOBJ_RESET, ARRAY).weighs(3),
    drm("syncobj_signal", SYNCOBJ_SIGNAL, ARRAY).weighs(3),
    drm(
        "syncobj_timeline_wait",
        SYNCOBJ_TIMELINE_WAIT,
        &[
            field("handles", HANDLES),
            field("points", POINTS),
            field("timeout", TIMEOUT),
            field("count", COUNT),
            field("flags", WAIT),
            field("first_signaled", PAD),
            field("pad", PAD),
            field("deadline", Time(&[0, 1])),
        ],
    )
    .weighs(4),
    drm("syncobj_query", SYNCOBJ_QUERY, TIMELINE).weighs(3),
    drm(
        "syncobj_transfer",
        SYNCOBJ_TRANSFER,
        &[
            field("source", Takes(4, Class::Syncobj)),
            field("target", Takes(4, Class::Syncobj)),
            field("source_point", POINT),
            field("target_point", POINT),
            field("flags", Flags(4, &[2])),
            field("pad", PAD),
        ],
    )
    .weighs(3),
    drm("syncobj_timeline_signal", SYNCOBJ_TIMELINE_SIGNAL, TIMELINE).weighs(3),
    drm(
        "syncobj_eventfd",
        SYNCOBJ_EVENTFD,
        &[
            field("handle", Takes(4, Class::Syncobj)),
            field("flags", Flags(4, &[4])),
            field("point", POINT),
            field("fd", Takes(4, Class::EventFile)),
            field("pad", PAD),
        ],
    )
    .weighs(3),
    ioctl(
        "sync_file_merge",
        Class::SyncFile,
        SYNC_MERGE,
        &[
            NAME,
            field("fd", Takes(4, Class::SyncFile)),
            field("fence", Gives(4, Class::SyncFile)),
            field("flags", Flags(4, &[])),
            field("pad", PAD),
        ],
    )
    .weighs(3),
    ioctl(
        "sync_file_info",
        Class::SyncFile,
        SYNC_FILE_INFO,
        &[
            NAME,
            field("status", PAD),
            field("flags", Flags(4, &[])),
            field("fences", Number(4, &[0, 1, 2])),
            field("pad", PAD),
            field("info", Room(160)),
        ],
    )
    .weighs(3),
    ioctl(
        "sync_file_deadline",
        Class::SyncFile,
        SYNC_SET_DEADLINE,
        &[field("deadline", Time(&[0, 1, u64::MAX])), field("pad", Zeros(8))],
    )
    .weighs(2),
];
