/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Calls of the driver vkms beside those of every display. The kernel's own driver of this name has
 * none. With `render_node=1` the numbers 1 and 2 are those of <drm/vgem_drm.h>.
 */
#ifndef VKMS_DRM_H
#define VKMS_DRM_H

#include <drm/drm.h>

#define DRM_VKMS_SCREEN 0x00

/*
 * Copies what an output shows into a buffer of the caller, as XRGB8888.
 *
 * Only for root: the picture may be another client's.
 */
struct drm_vkms_screen {
	/* in: the number of the output, from 0 */
	__u32 output;
	/* in: the handle of the buffer, or 0 to ask only for the size */
	__u32 handle;
	/* in: bytes from one line of the buffer to the next */
	__u32 pitch;
	/* out: the size of the picture in pixels; 0 if the output is off */
	__u32 width;
	__u32 height;
	/* must be 0 */
	__u32 pad;
};

#define DRM_IOCTL_VKMS_SCREEN DRM_IOWR(DRM_COMMAND_BASE + DRM_VKMS_SCREEN, struct drm_vkms_screen)

#endif
