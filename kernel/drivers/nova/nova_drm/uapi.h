/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The uapi of nova, for bindgen (kernel/Kbuild): structures and ioctl numbers are in the header as they are needed. */
#include <uapi/drm/nova_drm.h>
