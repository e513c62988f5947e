/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The uapi of the test driver of mode setting, for bindgen (kernel/Kbuild). */
#include "display_test_drm.h"

static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_DISPLAY_TEST = DRM_IOCTL_DISPLAY_TEST;
