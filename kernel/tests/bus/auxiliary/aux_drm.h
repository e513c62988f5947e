/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The uapi of the test drivers of the auxiliary bus, parent and child. guest/tests uses it, too. */
#ifndef AUX_DRM_H
#define AUX_DRM_H

#include <drm/drm.h>

struct aux_drm_info {
	__u32 id;		/* of the child; 0 of the parent */
	__u32 calls;		/* from all children so far, including this one */
	__u32 resumed;		/* the number of times this device resumed from system sleep */
	__u32 pad;
};

#define DRM_IOCTL_AUX_INFO DRM_IOR(DRM_COMMAND_BASE + 0, struct aux_drm_info)

#endif
