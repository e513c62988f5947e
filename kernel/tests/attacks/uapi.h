/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The uapi of the attack drivers, for bindgen (kernel/Kbuild). */
#include "attacks_drm.h"

static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_ATTACK_RUN = DRM_IOCTL_ATTACK_RUN;
static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_ATTACK_PLUGGED = DRM_IOCTL_ATTACK_PLUGGED;
static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_ATTACK_TRAP = DRM_IOCTL_ATTACK_TRAP;
