/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The uapi of the test drivers of the auxiliary bus, for bindgen (kernel/Kbuild). */
#include "../aux_drm.h"

static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_AUX_INFO = DRM_IOCTL_AUX_INFO;
