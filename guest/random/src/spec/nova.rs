// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! nova's own ioctls.
//!
//! Source: `include/uapi/drm/nova_drm.h` (Linux 7.3).

use uapi::nova::*;

use super::Kind::{Gives, Number, Size, Takes};
use super::{Class, PAD, Spec, drm, field};

pub(super) const CALLS: &[Spec] = &[
    drm(
        "nova_getparam",
        NOVA_GETPARAM,
        &[field("param", Number(8, &[1, 1, 0, 2, 1 << 32 | 1])), field("value", Number(8, &[0]))],
    ),
    drm(
        "nova_gem_create",
        NOVA_GEM_CREATE,
        &[
            field("handle", Gives(4, Class::Handle)),
            field("pad", PAD),
            field("size", Size(8, &[4096, 1, 65536, 1 << 21, 0, u64::MAX, u64::MAX - 4095])),
        ],
    )
    .weighs(20),
    drm(
        "nova_gem_info",
        NOVA_GEM_INFO,
        &[field("handle", Takes(4, Class::Handle)), field("pad", PAD), field("size", Number(8, &[0]))],
    )
    .weighs(12),
];
