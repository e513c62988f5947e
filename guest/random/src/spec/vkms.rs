// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The ioctl of our vkms beside those of every display.
//!
//! Source: `kernel/drivers/vkms/vkms_drm.h`.

use uapi::VKMS_SCREEN;

use super::Kind::{May, Number};
use super::{Class, PAD, Spec, drm, field};

pub(super) const CALLS: &[Spec] = &[drm(
    "vkms_screen",
    VKMS_SCREEN,
    &[
        field("output", Number(4, &[0, 0, 1, 2, 16])),
        field("handle", May(4, Class::Handle)),
        field("pitch", Number(4, &[256, 256, 4096, 255, 0])),
        field("width", Number(4, &[0])),
        field("height", Number(4, &[0])),
        field("pad", PAD),
    ],
)
.weighs(10)];
