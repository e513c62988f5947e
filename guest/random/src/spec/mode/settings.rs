// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Properties that atomic commits set.

use super::SIDE;
use super::values::*;
use crate::spec::Kind::{Array, May, Number, Takes};
use crate::spec::{Class, Field, Setting, field};

/// An object of a commit.
const fn object(class: Class) -> Field {
    field("object", Takes(4, class))
}

/// Properties that a commit sets: those that clients set together, and single ones.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        name: "plane",
        fields: &[
            object(Class::Plane),
            field("FB_ID", Takes(8, Class::Framebuffer)),
            field("CRTC_ID", Takes(8, Class::Crtc)),
            field("CRTC_X", Number(8, POSITIONS)),
            field("CRTC_Y", Number(8, POSITIONS)),
            field("CRTC_W", Number(8, PLACE_SIDES)),
            field("CRTC_H", Number(8, PLACE_SIDES)),
            field("SRC_X", Number(8, SOURCE_POSITIONS)),
            field("SRC_Y", Number(8, SOURCE_POSITIONS)),
            field("SRC_W", Number(8, SOURCE_SIDES)),
            field("SRC_H", Number(8, SOURCE_SIDES)),
        ],
    },
    // All of the picture on all of the CRTC, as a compositor's primary plane.
    Setting {
        name: "full_plane",
        fields: &[
            object(Class::Plane),
            field("FB_ID", Takes(8, Class::Framebuffer)),
            field("CRTC_ID", Takes(8, Class::Crtc)),
            field("CRTC_X", Number(8, &[0])),
            field("CRTC_Y", Number(8, &[0])),
            field("CRTC_W", Number(8, &[SIDE])),
            field("CRTC_H", Number(8, &[SIDE])),
            field("SRC_X", Number(8, &[0])),
            field("SRC_Y", Number(8, &[0])),
            field("SRC_W", Number(8, &[SIDE << 16])),
            field("SRC_H", Number(8, &[SIDE << 16])),
        ],
    },
    Setting {
        name: "no_plane",
        fields: &[object(Class::Plane), field("FB_ID", Number(8, &[0])), field("CRTC_ID", Number(8, &[0]))],
    },
    Setting { name: "flip", fields: &[object(Class::Plane), field("FB_ID", Takes(8, Class::Framebuffer))] },
    Setting {
        name: "move",
        fields: &[object(Class::Plane), field("CRTC_X", Number(8, POSITIONS)), field("CRTC_Y", Number(8, POSITIONS))],
    },
    Setting {
        name: "damage",
        fields: &[
            object(Class::Plane),
            field("FB_ID", Takes(8, Class::Framebuffer)),
            field("FB_DAMAGE_CLIPS", May(8, Class::Blob)),
        ],
    },
    Setting {
        name: "in_fence",
        fields: &[
            object(Class::Plane),
            field("FB_ID", Takes(8, Class::Framebuffer)),
            field("IN_FENCE_FD", May(8, Class::SyncFile)),
        ],
    },
    Setting {
        name: "look",
        fields: &[
            object(Class::Plane),
            field("alpha", Number(8, &[0xffff, 0, 0x10000])),
            field("rotation", Number(8, &[1, 2, 4, 0x10, 0])),
            field("zpos", Number(8, &[0, 1, 2, 255])),
        ],
    },
    Setting {
        name: "mode",
        fields: &[object(Class::Crtc), field("MODE_ID", Takes(8, Class::Mode)), field("ACTIVE", SWITCH)],
    },
    Setting {
        name: "no_mode",
        fields: &[object(Class::Crtc), field("MODE_ID", Number(8, &[0])), field("ACTIVE", Number(8, &[0]))],
    },
    Setting { name: "active", fields: &[object(Class::Crtc), field("ACTIVE", SWITCH)] },
    Setting { name: "vrr", fields: &[object(Class::Crtc), field("VRR_ENABLED", SWITCH)] },
    Setting {
        name: "gamma",
        fields: &[object(Class::Crtc), field("GAMMA_LUT", May(8, Class::Blob)), field("CTM", May(8, Class::Blob))],
    },
    Setting { name: "out_fence", fields: &[object(Class::Crtc), field("OUT_FENCE_PTR", Array(1, Class::SyncFile))] },
    Setting { name: "connect", fields: &[object(Class::Connector), field("CRTC_ID", Takes(8, Class::Crtc))] },
    Setting { name: "disconnect", fields: &[object(Class::Connector), field("CRTC_ID", Number(8, &[0]))] },
    Setting {
        name: "link",
        fields: &[object(Class::Connector), field("link-status", SWITCH), field("DPMS", Number(8, &[0, 3]))],
    },
];
