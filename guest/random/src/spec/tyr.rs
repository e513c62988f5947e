// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! tyr's own ioctls, in the order of their numbers.
//!
//! Source: `include/uapi/drm/panthor_drm.h` (Linux 7.3, version 1.9 of the interface).

use uapi::tyr::*;

use super::Kind::{Count, Ends, Flags, Gives, May, Number, Room, Rows, Size, Stride, Takes, Zeros};
use super::{Class, Does, Field, Kind, PAD, Spec, drm, field};

const BLOCK: u64 = 1 << 21;
/// Beginnings, ends and overlaps of pages and blocks, and the ends of address spaces.
const ADDRESSES: &[u64] = &[
    0,
    0x1000,
    0x2000,
    BLOCK - 0x1000,
    BLOCK,
    BLOCK + 0x1000,
    2 * BLOCK,
    1 << 32,
    (1 << 47) - 0x1000,
    1 << 47,
    1 << 48,
    u64::MAX - 0xfff,
];
/// Sizes of buffers and ranges. Most buffers are large enough for [`RANGES`].
const SIZES: &[u64] = &[
    0x1000,
    0x2000,
    0x10000,
    0x40000,
    0x40000,
    0x40000,
    0x40000,
    0x40000,
    BLOCK,
    2 * BLOCK,
    BLOCK + 0x1000,
    0,
    1,
    u64::MAX,
    u64::MAX - 0xfff,
];
const OFFSETS: &[u64] = &[0, 0, 0x1000, BLOCK, 1, u64::MAX - 0xfff];

/// A count without a maximum.
const COUNT: Kind = Count(u32::MAX);

/// `struct drm_panthor_sync_op`: whether it is a point of a timeline, and whether it signals.
const SYNC: &[Field] = &[
    field("flags", Flags(4, &[1, 1 << 31])),
    field("handle", Takes(4, Class::Syncobj)),
    field("point", Number(8, &[0, 1, 2, 3])),
];

/// `struct drm_panthor_vm_bind_op`: read-only, not executable, uncached, sparse; map, unmap, only sync.
const BIND: &[Field] = &[
    field("flags", Flags(4, &[1, 2, 4, 8, 1 << 28, 2 << 28])),
    field("bo", Takes(4, Class::Handle)),
    field("offset", Size(8, OFFSETS)),
    field("va", Number(8, ADDRESSES)),
    field("size", Size(8, SIZES)),
    field("sync_stride", Stride),
    field("sync_count", COUNT),
    field("syncs", Rows(SYNC)),
];

/// Addresses, sizes and offsets at which small buffers fit, and mappings overlap.
const PLACES: &[u64] = &[0, 0x1000, 0x10000, 1 << 20, BLOCK - 0x1000, BLOCK, 1 << 30, 1 << 31];
const RANGES: &[u64] = &[0x1000, 0x1000, 0x1000, 0x4000, 0x4000, 0x4000, 0x10000, 0x10000, 0x40000, BLOCK];
const STARTS: &[u64] = &[0, 0, 0, 0x1000, 0x4000, 0x10000];

/// Sync operations of queued work. A wait needs a fence that exists already, so most operations signal.
const SIGNALS: Kind = Rows(&[
    field("flags", Number(4, &[SIGNAL, SIGNAL, SIGNAL, SIGNAL, SIGNAL, SIGNAL, SIGNAL, 0])),
    field("handle", Takes(4, Class::Syncobj)),
    field("point", Zeros(8)),
]);
const POINTS: Kind = Rows(&[
    field("flags", Number(4, &[POINT, POINT, POINT, POINT, POINT, POINT, POINT, SYNC_TIMELINE as u64])),
    field("handle", Takes(4, Class::Syncobj)),
    field("point", Number(8, &[0, 0, 1, 2, 3, 5, 8])),
]);
const SIGNAL: u64 = SYNC_SIGNAL as u64;
const POINT: u64 = SIGNAL | SYNC_TIMELINE as u64;

const MAPS: Field = field(
    "flags",
    Number(4, &[OP_MAP as u64, (OP_MAP | MAP_READONLY) as u64, (OP_MAP | MAP_NOEXEC | MAP_UNCACHED) as u64]),
);
/// Operations that name no object.
const OTHERS: Field = field("flags", Number(4, &[OP_UNMAP as u64, OP_UNMAP as u64, (MAP_SPARSE | MAP_NOEXEC) as u64]));
const OBJECT: Field = field("bo", Takes(4, Class::Handle));
const START: Field = field("offset", Number(8, STARTS));
const VA: Field = field("va", Number(8, PLACES));
const RANGE: Field = field("size", Number(8, RANGES));
/// No object, and an offset that belongs to none.
const NO_OBJECT: Field = field("bo_and_offset", Zeros(12));
/// No sync operations.
const NO_SYNCS: Field = field("syncs", Zeros(16));

const AT_ONCE: Kind = Number(4, &[0]);
const QUEUED: Kind = Number(4, &[BIND_ASYNC as u64]);

/// A `VM_BIND` whose fields fit each other. With all combinations of `tyr_vm_bind`, few calls would succeed without a
/// search.
macro_rules! bind {
    ($name:literal, $when:expr, [$($field:expr),*]) => {
        drm(
            $name,
            VM_BIND,
            &[
                field("vm", VM),
                field("flags", $when),
                field("stride", Stride),
                field("count", COUNT),
                field("ops", Rows(&[$($field),*])),
            ],
        )
    };
}

const fn syncs(kind: Kind) -> [Field; 3] {
    [field("sync_stride", Stride), field("sync_count", COUNT), field("syncs", kind)]
}
const SIGNALLING: [Field; 3] = syncs(SIGNALS);
const TO_POINTS: [Field; 3] = syncs(POINTS);

/// `struct drm_panthor_bo_sync_op`
const SYNC_RANGE: &[Field] = &[
    field("handle", Takes(4, Class::Handle)),
    field("type", Number(4, &[0, 1, 2])),
    field("offset", Number(8, OFFSETS)),
    field("size", Number(8, SIZES)),
];

/// `struct drm_panthor_queue_create`
const QUEUE: &[Field] =
    &[field("priority", Number(1, &[0, 1])), field("pad", Number(3, &[0])), field("ring", Number(4, &[4096, 65536]))];

/// `struct drm_panthor_queue_submit`
const SUBMIT: &[Field] = &[
    field("queue", Number(4, &[0, 1])),
    field("stream_size", Number(4, &[0, 8])),
    field("stream_addr", Number(8, ADDRESSES)),
    field("latest_flush", Number(4, &[0])),
    field("pad", PAD),
    field("sync_stride", Stride),
    field("sync_count", COUNT),
    field("syncs", Rows(SYNC)),
];

const VM: Kind = Takes(4, Class::Vm);
const GROUP: Kind = Takes(4, Class::Group);

pub(super) const CALLS: &[Spec] = &[
    drm(
        "tyr_dev_query",
        DEV_QUERY,
        &[
            field("type", Number(4, &[0, 1, 2, 3, 4, 5])),
            field("size", Number(4, &[112, 24, 56, 4, 8, 0, 1, 200])),
            field("pointer", Room(256)),
        ],
    )
    .weighs(10),
    drm(
        "tyr_vm_create",
        VM_CREATE,
        &[
            field("flags", Flags(4, &[])),
            field("id", Gives(4, Class::Vm)),
            field(
                "user_va_range",
                Number(8, &[0, 0, 0, 0, 1 << 32, 1 << 32, 1 << 40, 1 << 47, 0x1000, 1 << 48, u64::MAX]),
            ),
        ],
    )
    .weighs(14),
    drm("tyr_vm_destroy", VM_DESTROY, &[field("id", Ends(4, Class::Vm)), field("pad", PAD)]).weighs(4),
    drm(
        "tyr_vm_bind",
        VM_BIND,
        &[
            field("vm", VM),
            field("flags", Flags(4, &[1])),
            field("stride", Stride),
            field("count", COUNT),
            field("ops", Rows(BIND)),
        ],
    )
    .weighs(24),
    bind!("tyr_vm_bind_objects", AT_ONCE, [MAPS, OBJECT, START, VA, RANGE, NO_SYNCS]).weighs(16),
    bind!("tyr_vm_bind_ranges", AT_ONCE, [OTHERS, NO_OBJECT, VA, RANGE, NO_SYNCS]).weighs(10),
    bind!(
        "tyr_vm_bind_objects_queued",
        QUEUED,
        [MAPS, OBJECT, START, VA, RANGE, TO_POINTS[0], TO_POINTS[1], TO_POINTS[2]]
    )
    .weighs(16),
    bind!(
        "tyr_vm_bind_ranges_queued",
        QUEUED,
        [OTHERS, NO_OBJECT, VA, RANGE, SIGNALLING[0], SIGNALLING[1], SIGNALLING[2]]
    )
    .weighs(10),
    bind!(
        "tyr_vm_bind_nothing_queued",
        QUEUED,
        [
            field("flags", Number(4, &[OP_SYNC_ONLY as u64])),
            NO_OBJECT,
            field("va_and_size", Zeros(16)),
            SIGNALLING[0],
            SIGNALLING[1],
            SIGNALLING[2]
        ]
    )
    .weighs(4),
    drm("tyr_vm_get_state", VM_GET_STATE, &[field("vm", VM), field("state", PAD)]).weighs(3),
    drm(
        "tyr_bo_create",
        BO_CREATE,
        &[
            field("size", Size(8, SIZES)),
            field("flags", Flags(4, &[1, 2])),
            field("exclusive_vm", May(4, Class::Vm)),
            field("handle", Gives(4, Class::Handle)),
            field("pad", PAD),
        ],
    )
    .weighs(20),
    drm(
        "tyr_bo_mmap_offset",
        BO_MMAP_OFFSET,
        &[field("handle", Takes(4, Class::Handle)), field("pad", PAD), field("offset", Gives(8, Class::Offset))],
    )
    .weighs(14),
    drm(
        "tyr_group_create",
        GROUP_CREATE,
        &[
            field("queue_stride", Stride),
            field("queue_count", COUNT),
            field("queues", Rows(QUEUE)),
            field("cores_and_priority", Number(4, &[0x0101_0101, 0])),
            field("pad", PAD),
            field("compute_mask", Number(8, &[1, 0])),
            field("fragment_mask", Number(8, &[1, 0])),
            field("tiler_mask", Number(8, &[1, 0])),
            field("vm", VM),
            field("group", Gives(4, Class::Group)),
        ],
    )
    .weighs(1),
    drm("tyr_group_destroy", GROUP_DESTROY, &[field("group", GROUP), field("pad", PAD)]).weighs(1),
    drm(
        "tyr_group_submit",
        GROUP_SUBMIT,
        &[
            field("group", GROUP),
            field("pad", PAD),
            field("stride", Stride),
            field("count", COUNT),
            field("submits", Rows(SUBMIT)),
        ],
    )
    .weighs(1),
    drm(
        "tyr_group_get_state",
        GROUP_GET_STATE,
        &[field("group", GROUP), field("state", PAD), field("fatal_queues", PAD), field("pad", PAD)],
    )
    .weighs(1),
    drm(
        "tyr_tiler_heap_create",
        TILER_HEAP_CREATE,
        &[
            field("vm", VM),
            field("initial_chunks", Number(4, &[1, 0])),
            field("chunk_size", Number(4, &[1 << 17, 1 << 21])),
            field("max_chunks", Number(4, &[1, 8])),
            field("target_in_flight", Number(4, &[1])),
            field("handle", Gives(4, Class::Heap)),
            field("context", Number(8, &[0])),
            field("first_chunk", Number(8, &[0])),
        ],
    )
    .weighs(1),
    drm("tyr_tiler_heap_destroy", TILER_HEAP_DESTROY, &[field("handle", Takes(4, Class::Heap)), field("pad", PAD)])
        .weighs(1),
    drm(
        "tyr_bo_set_label",
        BO_SET_LABEL,
        &[field("handle", Takes(4, Class::Handle)), field("pad", PAD), field("label", Room(5000))],
    )
    .weighs(4),
    drm("tyr_set_user_mmio_offset", SET_USER_MMIO_OFFSET, &[field("offset", Number(8, &[1 << 43, 1 << 56, 0]))])
        .weighs(4),
    drm("tyr_bo_sync", BO_SYNC, &[field("stride", Stride), field("count", COUNT), field("ops", Rows(SYNC_RANGE))])
        .weighs(8),
    drm(
        "tyr_bo_query_info",
        BO_QUERY_INFO,
        &[
            field("handle", Takes(4, Class::Handle)),
            field("extra_flags", PAD),
            field("create_flags", PAD),
            field("pad", PAD),
        ],
    )
    .weighs(4),
    Spec {
        name: "tyr_mmap_registers",
        does: Does::Mmap,
        fields: &[
            field("fd", Takes(4, Class::File)),
            field("offset", Number(8, &[1 << 56, 1 << 43, 1 << 56 | 0x1000])),
            field("length", Number(8, &[0x1000, 0x2000])),
            field("protection", Flags(4, &[1, 2])),
            field("private", Number(4, &[0, 0, 0, 1])),
        ],
        weight: 4,
    },
];
