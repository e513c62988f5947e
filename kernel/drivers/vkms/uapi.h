/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The driver's own uapi, and vgem's, for bindgen (kernel/Kbuild). */
#include "vkms_drm.h"
#include "../vgem/uapi.h"

static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_VKMS_SCREEN = DRM_IOCTL_VKMS_SCREEN;
