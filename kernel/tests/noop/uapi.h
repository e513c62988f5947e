/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The uapi of noop, for bindgen (kernel/Kbuild). */
#include "noop_drm.h"

static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_NOOP_UNGUARDED = DRM_IOCTL_NOOP_UNGUARDED;
static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_NOOP_GUARDED = DRM_IOCTL_NOOP_GUARDED;
