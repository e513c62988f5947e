// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! vgem's own ioctls.
//!
//! Source: `include/uapi/drm/vgem_drm.h` (Linux 7.3).

use uapi::{VGEM_FENCE_ATTACH, VGEM_FENCE_SIGNAL};

use super::Kind::{Ends, Flags, Gives, Takes};
use super::{Class, PAD, Spec, drm, field};

pub(super) const CALLS: &[Spec] = &[
    drm(
        "vgem_fence_attach",
        VGEM_FENCE_ATTACH,
        &[
            field("handle", Takes(4, Class::Handle)),
            field("flags", Flags(4, &[1])),
            field("out_fence", Gives(4, Class::Fence)),
            field("pad", PAD),
        ],
    )
    .weighs(20),
    drm(
        "vgem_fence_signal",
        VGEM_FENCE_SIGNAL,
        &[field("fence", Ends(4, Class::Fence)), field("flags", Flags(4, &[]))],
    )
    .weighs(16),
];
