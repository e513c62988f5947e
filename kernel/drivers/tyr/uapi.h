/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The uapi of this driver, for bindgen (kernel/Kbuild). */
#include <uapi/drm/panthor_drm.h>
