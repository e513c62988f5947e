/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The uapi of vgem, for bindgen (kernel/Kbuild). The structures come from the header. The ioctl
 * numbers are macros there and become constants here.
 */
#include <uapi/drm/vgem_drm.h>

static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_VGEM_FENCE_ATTACH = DRM_IOCTL_VGEM_FENCE_ATTACH;
static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_VGEM_FENCE_SIGNAL = DRM_IOCTL_VGEM_FENCE_SIGNAL;
