/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The uapi of the test driver for `edu`, for bindgen (kernel/Kbuild). */
#include "edu_drm.h"

static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_EDU_INFO = DRM_IOCTL_EDU_INFO;
static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_EDU_FACTORIAL = DRM_IOCTL_EDU_FACTORIAL;
static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_EDU_DMA = DRM_IOCTL_EDU_DMA;
