// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Calls on files, mappings and the device that are not ioctls of DRM.
//!
//! Source: open(2), mmap(2), poll(2), `include/uapi/linux/dma-buf.h`, `linux/sync_file.h` (Linux 7.3).

use uapi::*;

use super::Kind::{Flags, Gives, Number, Room, Size, Takes};
use super::{Class, Does, Field, Spec, field, ioctl};

const LENGTHS: &[u64] = &[4096, 8192, 65536, 1 << 21, 0, 1];

const fn call(name: &'static str, does: Does, weight: u32, fields: &'static [Field]) -> Spec {
    Spec { name, does, fields, weight }
}

/// POLLIN, POLLOUT
const EVENTS: Field = field("events", Flags(2, &[1, 4]));
/// A limit in milliseconds.
const TIMEOUT: Field = field("timeout", Number(4, &[0, 0, 0, 1, 10]));

pub(super) const CALLS: &[Spec] = &[
    call("open", Does::Open, 12, &[field("node", Number(4, &[0, 1]))]),
    call("close", Does::Close, 8, &[field("fd", Takes(4, Class::File))]),
    call("close_dma_buf", Does::Close, 5, &[field("fd", Takes(4, Class::DmaBuf))]),
    call("close_sync_file", Does::Close, 2, &[field("fd", Takes(4, Class::SyncFile))]),
    call(
        "mmap",
        Does::Mmap,
        12,
        &[
            field("fd", Takes(4, Class::File)),
            field("offset", Takes(8, Class::Offset)),
            field("length", Size(8, LENGTHS)),
            // PROT_READ, PROT_WRITE; MAP_PRIVATE instead of MAP_SHARED
            field("protection", Flags(4, &[1, 2])),
            field("private", Number(4, &[0, 0, 0, 1])),
        ],
    ),
    call(
        "mmap_dma_buf",
        Does::Mmap,
        6,
        &[
            field("fd", Takes(4, Class::DmaBuf)),
            field("offset", Number(8, &[0, 4096, 8192, 1 << 32])),
            field("length", Size(8, LENGTHS)),
            field("protection", Flags(4, &[1, 2])),
            field("private", Number(4, &[0, 0, 0, 1])),
        ],
    ),
    call("munmap", Does::Munmap, 4, &[field("address", Takes(8, Class::Mapping))]),
    call(
        "touch",
        Does::Touch,
        12,
        &[
            field("address", Takes(8, Class::Mapping)),
            field("offset", Number(8, &[0, 4096, 8191, 65536, (1 << 21) - 1])),
            field("write", Number(4, &[0, 1])),
        ],
    ),
    call("poll", Does::Poll, 2, &[field("fd", Takes(4, Class::File)), EVENTS, TIMEOUT]),
    call("poll_dma_buf", Does::Poll, 4, &[field("fd", Takes(4, Class::DmaBuf)), EVENTS, TIMEOUT]),
    call("poll_sync_file", Does::Poll, 3, &[field("fd", Takes(4, Class::SyncFile)), EVENTS, TIMEOUT]),
    call("read", Does::Read, 2, &[field("fd", Takes(4, Class::File)), field("length", Number(4, &[4096, 0, 1, 32]))]),
    call("fdinfo", Does::Fdinfo, 2, &[field("fd", Takes(4, Class::File))]),
    call("eventfd", Does::Eventfd, 2, &[field("flags", Flags(4, &[1, 0o4000]))]),
    call(
        "foreign_buffer",
        Does::Foreign,
        4,
        &[
            // udmabuf or the system's heap
            field("heap", Number(4, &[0, 1])),
            field("pages", Number(1, &[1, 2, 16])),
        ],
    ),
    call("unbind", Does::Unbind, 1, &[field("level", Number(4, &[0, 1]))]),
    call("bind", Does::Bind, 1, &[]),
    ioctl("dma_buf_sync", Class::DmaBuf, DMA_BUF_SYNC, &[field("flags", Flags(8, &[1, 2, 4]))]).weighs(4),
    ioctl("dma_buf_set_name", Class::DmaBuf, DMA_BUF_SET_NAME_B, &[field("name", Room(40))]).weighs(1),
    ioctl(
        "dma_buf_export_sync_file",
        Class::DmaBuf,
        DMA_BUF_EXPORT_SYNC_FILE,
        &[field("flags", Flags(4, &[1, 2])), field("fd", Gives(4, Class::SyncFile))],
    )
    .weighs(5),
    ioctl(
        "dma_buf_import_sync_file",
        Class::DmaBuf,
        DMA_BUF_IMPORT_SYNC_FILE,
        &[field("flags", Flags(4, &[1, 2])), field("fd", Takes(4, Class::SyncFile))],
    )
    .weighs(5),
];
