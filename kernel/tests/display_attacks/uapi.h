/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The uapi of the driver that attacks mode setting, for bindgen (kernel/Kbuild). */
#include "display_attacks_drm.h"

static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_DISPLAY_ATTACK = DRM_IOCTL_DISPLAY_ATTACK;
