// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Mode setting: the ioctls of every display, except `GETRESOURCES`, which is among the core's.
//!
//! Modes, buffers and planes have mostly one size, so that they fit each other.
//!
//! Source: `include/uapi/drm/drm_mode.h`, `drm.h`, `drm_fourcc.h` (Linux 7.3).

mod settings;
mod values;

use uapi::SET_CLIENT_CAP;
use uapi::mode::*;

use settings::SETTINGS;
use values::*;

use super::Kind::{
    Array, Count, Ends, Flags, Gives, Length, May, Number, One, Pad, Property, Room, Rows, Settings, Takes, Zeros,
};
use super::{Class, Column, Does, Field, Kind, PAD, Spec, drm, field};

/// The usual side of a picture, in pixels.
pub const SIDE: u64 = 64;

/// Returns the fields, and those of `struct drm_mode_modeinfo` behind them. Each value of a field fits each one of the
/// next, so that most modes are possible.
macro_rules! with_mode {
    ($($field:expr),*) => {
        &[
            $($field,)*
            // About sixty frames in a second.
            field("clock", Number(4, &[450, 450, 450, 450, 1800, 25_000, 1, 0, 0xffff_ffff])),
            field("hdisplay", Number(2, &[SIDE, SIDE, SIDE, SIDE, 32, 8, 1, 0])),
            field("hsync_start", Number(2, &[66, 66, 68])),
            field("hsync_end", Number(2, &[70, 70, 74])),
            field("htotal", Number(2, &[80, 80, 88, 0])),
            field("hskew", Number(2, &[0, 0, 0, 1])),
            field("vdisplay", Number(2, &[SIDE, SIDE, SIDE, SIDE, 32, 8, 1, 0])),
            field("vsync_start", Number(2, &[66, 66, 68])),
            field("vsync_end", Number(2, &[70, 70, 74])),
            field("vtotal", Number(2, &[94, 94, 100, 0])),
            field("vscan", Number(2, &[0, 0, 0, 0, 1, 2])),
            field("vrefresh", Number(4, &[60, 60, 0])),
            field("mode_flags", Flags(4, &[1, 4, 0x10, 0x20])),
            field("mode_kind", Number(4, &[0, 0, 0x40, 8])),
            field("mode_name", Zeros(32)),
        ]
    };
}

const MODE: &[Field] = with_mode!();

/// `struct drm_mode_rect`, for `FB_DAMAGE_CLIPS`
const DAMAGE: &[Field] = &[
    field("x1", Number(4, &[0, 0, 8])),
    field("y1", Number(4, &[0, 0, 8])),
    field("x2", Number(4, &[64, 64, 32, 0, 65, 0x7fff_ffff])),
    field("y2", Number(4, &[64, 64, 32, 0, 65, 0x7fff_ffff])),
];

/// `struct drm_clip_rect`
const CLIP: &[Field] = &[
    field("x1", Number(2, &[0, 0, 8])),
    field("y1", Number(2, &[0, 0, 8])),
    field("x2", Number(2, &[64, 64, 32, 0, 0xffff])),
    field("y2", Number(2, &[64, 64, 32, 0, 0xffff])),
];

/// `struct drm_mode_fb_cmd`
macro_rules! fb_cmd {
    ($fb:expr, $handle:expr) => {
        &[
            field("fb", $fb),
            field("width", SIDES),
            field("height", SIDES),
            field("pitch", PITCHES),
            field("bpp", Number(4, &[32, 32, 32, 16, 8, 24, 0])),
            field("depth", Number(4, &[24, 24, 32, 16, 30, 8, 0])),
            field("handle", $handle),
        ]
    };
}

/// `struct drm_mode_fb_cmd2`
macro_rules! fb_cmd2 {
    ($fb:expr, $handle:expr, $second:expr) => {
        &[
            field("fb", $fb),
            field("width", SIDES),
            field("height", SIDES),
            field("format", COLORS),
            field("flags", Number(4, &[0, 0, 0, 2, 2, 1, 4])),
            field("handle0", $handle),
            field("handle1", $second),
            field("handle2", Number(4, &[0])),
            field("handle3", Number(4, &[0])),
            field("pitch0", PITCHES),
            field("pitch1", NO_PITCHES),
            field("pitch2", NO_PITCHES),
            field("pitch3", NO_PITCHES),
            field("offset0", OFFSETS),
            field("offset1", OFFSETS),
            field("offset2", Number(4, &[0])),
            field("offset3", Number(4, &[0])),
            field("hole", Number(4, &[0])),
            field("modifier0", MODIFIERS),
            field("modifier1", Number(8, &[0])),
            field("modifier2", Number(8, &[0])),
            field("modifier3", Number(8, &[0])),
        ]
    };
}

/// `struct drm_mode_obj_get_properties`
macro_rules! get_properties {
    ($name:literal, $class:expr, $kind:expr) => {
        drm(
            $name,
            OBJ_GETPROPERTIES,
            &[
                field("properties", Array(32, Class::Property)),
                field("values", Room(256)),
                field("count", Number(4, &[32, 32, 0, 1])),
                field("object", Takes(4, $class)),
                field("kind", Number(4, &[$kind as u64, $kind as u64, OBJECT_ANY as u64, OBJECT_FB as u64])),
                field("hole", Number(4, &[0])),
            ],
        )
        .weighs(2)
    };
}

/// `struct drm_mode_obj_set_property`
macro_rules! set_property {
    ($name:literal, $class:expr, $kind:expr, $property:expr, $value:expr) => {
        drm(
            $name,
            OBJ_SETPROPERTY,
            &[
                field("value", $value),
                field("property", $property),
                field("object", Takes(4, $class)),
                field("kind", Number(4, &[$kind as u64, $kind as u64, OBJECT_ANY as u64])),
                field("hole", Number(4, &[0])),
            ],
        )
        .weighs(3)
    };
}

/// `struct drm_mode_crtc`
macro_rules! crtc {
    ($connectors:expr, $fb:expr) => {
        with_mode!(
            field("connectors", $connectors),
            field("count", Count(64)),
            field("crtc", Takes(4, Class::Crtc)),
            field("fb", $fb),
            field("x", Number(4, &[0, 0, 0, 1, 0x7fff_ffff])),
            field("y", Number(4, &[0, 0, 0, 1, 0x7fff_ffff])),
            field("gamma_size", Number(4, &[0])),
            field("mode_valid", Number(4, &[1, 1, 1, 0]))
        )
    };
}

/// `struct drm_mode_crtc_lut`
const LUT: &[Field] = &[
    field("crtc", Takes(4, Class::Crtc)),
    field("gamma_size", Number(4, &[256, 256, 0, 1, 257])),
    field("red", Room(512)),
    field("green", Room(512)),
    field("blue", Room(512)),
];

/// `struct drm_mode_cursor`, the first fields of `struct drm_mode_cursor2`
macro_rules! cursor {
    ($($more:expr),*) => {
        &[
            field("flags", Number(4, &[1, 2, 2, 3, 0, 4])),
            field("crtc", Takes(4, Class::Crtc)),
            field("x", Number(4, POSITIONS)),
            field("y", Number(4, POSITIONS)),
            field("width", SIDES),
            field("height", SIDES),
            field("handle", May(4, Class::Handle)),
            $($more,)*
        ]
    };
}

/// Flags of a commit: events, async, test only, nonblocking, with a new mode.
const COMMIT_FLAGS: Kind = Number(
    4,
    &[0x400, 0x400, 0x400, 0x401, 0x401, 0x601, 0x600, 0x201, 0x201, 0x200, 0, 1, 0x500, 0x100, 0x101, 0x203, 2, 0x800],
);

pub(super) const CALLS: &[Spec] = &[
    Spec { name: "open_display", does: Does::OpenDisplay, fields: &[], weight: 12 },
    Spec {
        name: "connector_status",
        does: Does::Connect,
        fields: &[field("output", Number(4, &[0, 1, 2])), field("status", Number(4, &[0, 1, 2]))],
        weight: 2,
    },
    // The capabilities of `open_display`, for other files.
    drm(
        "be_atomic",
        SET_CLIENT_CAP,
        &[field("capability", Number(8, &[3, 3, 2])), field("value", Number(8, &[1, 1, 0]))],
    )
    .weighs(4),
    drm(
        "create_screen",
        uapi::MODE_CREATE_DUMB,
        &[
            field("height", Number(4, &[SIDE])),
            field("width", Number(4, &[SIDE])),
            field("bpp", Number(4, &[32])),
            field("flags", Flags(4, &[])),
            field("handle", Gives(4, Class::Handle)),
            field("pitch", Number(4, &[0])),
            field("size", Number(8, &[0])),
        ],
    )
    .weighs(16),
    drm(
        "get_plane_resources",
        GETPLANERESOURCES,
        &[
            field("planes", Array(32, Class::Plane)),
            field("count", Number(4, &[32, 32, 0, 1])),
            field("hole", Number(4, &[0])),
        ],
    )
    .weighs(3),
    drm("get_crtc", GETCRTC, crtc!(Number(8, &[0]), Gives(4, Class::Framebuffer))).weighs(2),
    drm(
        "get_plane",
        GETPLANE,
        &[
            field("plane", Takes(4, Class::Plane)),
            field("crtc", Number(4, &[0])),
            field("fb", Gives(4, Class::Framebuffer)),
            field("possible_crtcs", Number(4, &[0])),
            field("gamma_size", Number(4, &[0])),
            field("count", Number(4, &[8, 0, 1])),
            field("formats", Room(32)),
        ],
    )
    .weighs(2),
    drm("get_encoder", GETENCODER, &[field("encoder", Takes(4, Class::Encoder)), field("out", Zeros(16))]).weighs(1),
    drm(
        "get_connector",
        GETCONNECTOR,
        &[
            field("encoders", Array(4, Class::Encoder)),
            field("modes", Room(68 * 40)),
            field("properties", Array(32, Class::Property)),
            field("values", Room(256)),
            field("count_modes", Number(4, &[40, 40, 0, 0, 1])),
            field("count_properties", Number(4, &[32, 32, 0, 1])),
            field("count_encoders", Number(4, &[4, 4, 0, 1])),
            field("encoder", Number(4, &[0])),
            field("connector", Takes(4, Class::Connector)),
            field("out", Zeros(28)),
        ],
    )
    .weighs(5),
    get_properties!("get_plane_properties", Class::Plane, OBJECT_PLANE),
    get_properties!("get_crtc_properties", Class::Crtc, OBJECT_CRTC),
    get_properties!("get_connector_properties", Class::Connector, OBJECT_CONNECTOR),
    drm(
        "get_property",
        GETPROPERTY,
        &[
            field("values", Room(256)),
            field("enums", Room(640)),
            field("property", Takes(4, Class::Property)),
            field("flags", Number(4, &[0])),
            field("name", Zeros(32)),
            field("count_values", Number(4, &[32, 32, 0, 1])),
            field("count_enums", Number(4, &[16, 16, 0, 1])),
        ],
    )
    .weighs(2),
    drm(
        "get_blob",
        GETPROPBLOB,
        &[
            field("blob", Takes(4, Class::Blob)),
            field("length", Number(4, &[256, 256, 68, 0, 1])),
            field("data", Room(256)),
        ],
    )
    .weighs(2),
    drm("add_fb", ADDFB, fb_cmd!(Gives(4, Class::Framebuffer), Takes(4, Class::Handle))).weighs(12),
    drm("add_fb2", ADDFB2, fb_cmd2!(Gives(4, Class::Framebuffer), Takes(4, Class::Handle), May(4, Class::Handle)))
        .weighs(24),
    drm("remove_fb", RMFB, &[field("fb", Ends(4, Class::Framebuffer))]).weighs(5),
    drm("close_fb", CLOSEFB, &[field("fb", Ends(4, Class::Framebuffer)), field("pad", PAD)]).weighs(3),
    drm("get_fb", GETFB, fb_cmd!(Takes(4, Class::Framebuffer), Gives(4, Class::Handle))).weighs(3),
    drm("get_fb2", GETFB2, fb_cmd2!(Takes(4, Class::Framebuffer), Gives(4, Class::Handle), Number(4, &[0]))).weighs(3),
    drm(
        "dirty_fb",
        DIRTYFB,
        &[
            field("fb", Takes(4, Class::Framebuffer)),
            field("flags", Flags(4, &[1, 2])),
            field("color", Number(4, &[0, 0xffff_ffff])),
            field("count", Count(300)),
            field("clips", Rows(CLIP)),
        ],
    )
    .weighs(6),
    drm(
        "set_crtc",
        SETCRTC,
        crtc!(Rows(&[field("connector", Takes(4, Class::Connector))]), Takes(4, Class::Framebuffer)),
    )
    .weighs(16),
    drm(
        "page_flip",
        PAGE_FLIP,
        &[
            field("crtc", Takes(4, Class::Crtc)),
            field("fb", Takes(4, Class::Framebuffer)),
            field("flags", Number(4, &[1, 1, 1, 0, 2, 3, 5, 9, 13, 16])),
            field("sequence", Number(4, SEQUENCES)),
            field("user_data", USER_DATA),
        ],
    )
    .weighs(16),
    drm("cursor", CURSOR, cursor!()).weighs(8),
    drm("cursor2", CURSOR2, cursor!(field("hot_x", Number(4, &[0, 1, 64])), field("hot_y", Number(4, &[0, 1, 64]))))
        .weighs(8),
    drm(
        "set_plane",
        SETPLANE,
        &[
            field("plane", Takes(4, Class::Plane)),
            field("crtc", Takes(4, Class::Crtc)),
            field("fb", Takes(4, Class::Framebuffer)),
            field("flags", Number(4, &[0])),
            field("crtc_x", Number(4, POSITIONS)),
            field("crtc_y", Number(4, POSITIONS)),
            field("crtc_w", Number(4, PLACE_SIDES)),
            field("crtc_h", Number(4, PLACE_SIDES)),
            field("src_x", Number(4, SOURCE_POSITIONS)),
            field("src_y", Number(4, SOURCE_POSITIONS)),
            field("src_h", Number(4, SOURCE_SIDES)),
            field("src_w", Number(4, SOURCE_SIDES)),
        ],
    )
    .weighs(10),
    drm("get_gamma", GETGAMMA, LUT).weighs(1),
    drm("set_gamma", SETGAMMA, LUT).weighs(2),
    drm(
        "atomic",
        ATOMIC,
        &[
            field("flags", COMMIT_FLAGS),
            field("count", Count(64)),
            field("objects", Settings(SETTINGS)),
            field("counts", Kind::Column(Column::Counts)),
            field("properties", Kind::Column(Column::Properties)),
            field("values", Kind::Column(Column::Values)),
            field("reserved", Pad(8)),
            field("user_data", USER_DATA),
        ],
    )
    .weighs(48),
    set_property!("set_active", Class::Crtc, OBJECT_CRTC, Property("ACTIVE"), SWITCH),
    set_property!("set_mode", Class::Crtc, OBJECT_CRTC, Property("MODE_ID"), May(8, Class::Mode)),
    set_property!("set_picture", Class::Plane, OBJECT_PLANE, Property("FB_ID"), May(8, Class::Framebuffer)),
    set_property!("set_any_of_plane", Class::Plane, OBJECT_PLANE, Takes(4, Class::Property), Number(8, POSITIONS)),
    set_property!(
        "set_any_of_connector",
        Class::Connector,
        OBJECT_CONNECTOR,
        Takes(4, Class::Property),
        Number(8, &[0, 1, 3])
    ),
    drm(
        "set_dpms",
        SETPROPERTY,
        &[
            field("value", Number(8, &[0, 0, 3, 1])),
            field("property", Property("DPMS")),
            field("connector", Takes(4, Class::Connector)),
        ],
    )
    .weighs(4),
    drm(
        "create_mode",
        CREATEPROPBLOB,
        &[field("data", One(MODE)), field("length", Length), field("blob", Gives(4, Class::Mode))],
    )
    .weighs(10),
    drm(
        "create_blob",
        CREATEPROPBLOB,
        &[field("data", Rows(DAMAGE)), field("length", Length), field("blob", Gives(4, Class::Blob))],
    )
    .weighs(3),
    drm("destroy_mode", DESTROYPROPBLOB, &[field("blob", Ends(4, Class::Mode))]).weighs(2),
    drm("destroy_blob", DESTROYPROPBLOB, &[field("blob", Ends(4, Class::Blob))]).weighs(1),
    drm(
        "create_lease",
        CREATE_LEASE,
        &[
            field(
                "objects",
                Rows(&[
                    field("crtc", Takes(4, Class::Crtc)),
                    field("connector", Takes(4, Class::Connector)),
                    field("plane", Takes(4, Class::Plane)),
                ]),
            ),
            // Each row is three objects.
            field("count", Number(4, &[3, 3, 3, 3, 6, 1, 2, 0])),
            field("flags", Flags(4, &[0o2000000, 0o4000])),
            field("lessee", Gives(4, Class::Lessee)),
            field("fd", Gives(4, Class::File)),
        ],
    )
    .weighs(3),
    drm(
        "list_lessees",
        LIST_LESSEES,
        &[field("count", Number(4, &[8, 0, 1])), field("pad", PAD), field("lessees", Array(8, Class::Lessee))],
    )
    .weighs(1),
    drm(
        "get_lease",
        GET_LEASE,
        &[field("count", Number(4, &[16, 0, 1])), field("pad", PAD), field("objects", Room(64))],
    )
    .weighs(1),
    drm("revoke_lease", REVOKE_LEASE, &[field("lessee", Ends(4, Class::Lessee))]).weighs(2),
    drm(
        "wait_vblank",
        WAIT_VBLANK,
        &[
            field(
                "kind",
                Number(
                    4,
                    &[1, 1, 0, 0x0400_0001, 0x0400_0001, 0x0400_0000, 0x1000_0001, 0x2000_0001, 3, 5, 0x4000_0001],
                ),
            ),
            field("sequence", Number(4, SEQUENCES)),
            field("signal", USER_DATA),
            field("out", Number(8, &[0])),
        ],
    )
    .weighs(6),
    drm(
        "crtc_get_sequence",
        CRTC_GET_SEQUENCE,
        &[
            field("crtc", Takes(4, Class::Crtc)),
            field("active", Number(4, &[0])),
            field("sequence", Number(8, &[0])),
            field("nanoseconds", Number(8, &[0])),
        ],
    )
    .weighs(2),
    drm(
        "crtc_queue_sequence",
        CRTC_QUEUE_SEQUENCE,
        &[
            field("crtc", Takes(4, Class::Crtc)),
            field("flags", Number(4, &[1, 1, 3, 0, 2, 4])),
            field("sequence", Number(8, SEQUENCES)),
            field("user_data", USER_DATA),
        ],
    )
    .weighs(6),
];
