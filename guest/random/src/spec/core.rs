// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The DRM core's own ioctls, except those on sync objects.
//!
//! Source: `include/uapi/drm/drm.h`, `drm_mode.h` (Linux 7.3).

use uapi::*;

use super::Kind::{Array, Ends, Flags, Gives, Number, Room, Size, Takes, Zeros};
use super::{Class, Field, Kind, PAD, Spec, drm, field};

/// Sides of a dumb buffer: small ones, and ones that overflow.
const SIDES: &[u64] = &[1, 16, 32, 32, 33, 64, 64, 100, 640, 1024, 0, 0xffff_ffff];

/// `struct drm_version`
const VERSION_TEXTS: &[Field] = &[
    field("numbers", Number(8, &[0])),
    field("patchlevel", Number(4, &[0])),
    field("hole", Number(4, &[0])),
    field("name_len", Number(8, &[64, 0, 1, 4])),
    field("name", Room(64)),
    field("date_len", Number(8, &[64, 0, 1])),
    field("date", Room(64)),
    field("desc_len", Number(8, &[64, 0, 1])),
    field("desc", Room(64)),
];

/// `struct drm_unique` and `struct drm_set_client_name`
const TEXT: &[Field] = &[field("len", Number(8, &[8, 64, 0, 1, 63, 65])), field("text", Room(64))];

/// `struct drm_stats`
const STATS: &[Field] = &[field("out", Zeros(248))];

/// The number of objects for which an array has room.
const MANY: Kind = Number(4, &[16, 16, 16, 16, 0, 1, 1000]);

/// `struct drm_mode_card_res`
const CARD_RES: &[Field] = &[
    field("fbs", Array(16, Class::Framebuffer)),
    field("crtcs", Array(16, Class::Crtc)),
    field("connectors", Array(16, Class::Connector)),
    field("encoders", Array(16, Class::Encoder)),
    field("count_fbs", MANY),
    field("count_crtcs", MANY),
    field("count_connectors", MANY),
    field("count_encoders", MANY),
    field("limits", Zeros(16)),
];

pub(super) const CALLS: &[Spec] = &[
    drm("version", VERSION, VERSION_TEXTS).weighs(2),
    drm("get_unique", GET_UNIQUE, TEXT).weighs(2),
    drm("get_magic", GET_MAGIC, &[field("magic", Gives(4, Class::Magic))]).weighs(2),
    drm("get_client", GET_CLIENT, &[field("index", Number(4, &[0, 1])), field("out", Zeros(36))]).weighs(1),
    drm("get_stats", GET_STATS, STATS).weighs(1),
    drm(
        "set_version",
        SET_VERSION,
        &[field("di", Number(8, &[u64::MAX, 1, 1 | 4 << 32, 1 | 1 << 32])), field("dd", Number(8, &[u64::MAX, 1, 0]))],
    )
    .weighs(2),
    drm("gem_close", GEM_CLOSE, &[field("handle", Ends(4, Class::Handle)), field("pad", PAD)]),
    drm("gem_flink", GEM_FLINK, &[field("handle", Takes(4, Class::Handle)), field("name", Gives(4, Class::Name))]),
    drm(
        "gem_open",
        GEM_OPEN,
        &[
            field("name", Takes(4, Class::Name)),
            field("handle", Gives(4, Class::Handle)),
            field("size", Number(8, &[0])),
        ],
    ),
    drm(
        "get_cap",
        GET_CAP,
        &[
            field("capability", Number(8, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15])),
            field("value", Number(8, &[0])),
        ],
    )
    .weighs(3),
    drm(
        "set_client_cap",
        SET_CLIENT_CAP,
        &[field("capability", Number(8, &[1, 2, 3, 4, 5, 6, 7])), field("value", Number(8, &[0, 1, 2]))],
    )
    .weighs(3),
    drm("auth_magic", AUTH_MAGIC, &[field("magic", Takes(4, Class::Magic))]).weighs(2),
    drm("set_master", SET_MASTER, &[]).weighs(2),
    drm("drop_master", DROP_MASTER, &[]).weighs(2),
    drm(
        "prime_handle_to_fd",
        PRIME_HANDLE_TO_FD,
        &[
            field("handle", Takes(4, Class::Handle)),
            field("flags", Flags(4, &[0o2000000, 2])),
            field("fd", Gives(4, Class::DmaBuf)),
        ],
    )
    .weighs(14),
    drm(
        "prime_fd_to_handle",
        PRIME_FD_TO_HANDLE,
        &[
            field("handle", Gives(4, Class::Handle)),
            field("flags", Flags(4, &[])),
            field("fd", Takes(4, Class::DmaBuf)),
        ],
    )
    .weighs(14),
    drm("get_resources", mode::GETRESOURCES, CARD_RES).weighs(1),
    drm(
        "create_dumb",
        MODE_CREATE_DUMB,
        &[
            field("height", Size(4, SIDES)),
            field("width", Size(4, SIDES)),
            field("bpp", Number(4, &[32, 32, 32, 32, 32, 8, 16, 24, 64, 1, 0, 0xffff_ffff])),
            field("flags", Flags(4, &[])),
            field("handle", Gives(4, Class::Handle)),
            field("pitch", Number(4, &[0])),
            field("size", Number(8, &[0])),
        ],
    )
    .weighs(14),
    drm(
        "map_dumb",
        MODE_MAP_DUMB,
        &[field("handle", Takes(4, Class::Handle)), field("pad", PAD), field("offset", Gives(8, Class::Offset))],
    )
    .weighs(14),
    drm("destroy_dumb", MODE_DESTROY_DUMB, &[field("handle", Ends(4, Class::Handle))]),
    drm("set_client_name", SET_CLIENT_NAME, TEXT).weighs(2),
    drm(
        "gem_change_handle",
        GEM_CHANGE_HANDLE,
        &[
            field("handle", Takes(4, Class::Handle)),
            field("new_handle", Number(4, &[1, 2, 3, 100, 0, 0x7fff_ffff, 0xffff_ffff])),
        ],
    )
    .weighs(4),
];
